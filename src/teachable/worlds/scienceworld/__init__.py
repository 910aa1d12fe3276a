"""ScienceWorld: a house with ten rooms, and tasks of elementary science, on a Java machine.

Modules: ``entry`` (what it offers), ``play`` (the world), ``families`` (the tasks there are), ``games`` (their files),
``engine`` (the Java side), ``engines`` (several of one game), ``reply`` (what it answers), ``commands`` (which are
offered), ``scene`` (the compact view), ``expert`` (the next right command), ``session`` (playing), ``words`` and
``reasons`` (what its texts mean). Games are made by :mod:`teachable.generation.scienceworld`.
"""
