"""TextWorldExpress: eight small games on a Java machine.

Modules: ``entry`` (what it offers), ``play`` (the world), ``families`` (the games there are), ``games`` (their files),
``engine`` (the Java side), ``facts`` (what is where), ``scene`` (the compact view), ``expert`` (the next right
command), ``session`` (playing), ``words`` and ``reasons`` (what its texts mean). Games are made by
:mod:`teachable.generation.textworld_express`.
"""
