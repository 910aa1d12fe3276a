"""TextWorld: cooking, treasure hunting and coin collecting on a Z-machine.

Modules: ``entry`` (what it offers), ``play`` (the world), ``families`` (the games there are), ``words`` and ``reasons``
(what its texts mean), ``games`` (canonical data), ``host`` and ``engine`` (the Z-machine), ``ground`` (rules as bit
masks), ``scene`` (the compact view), ``expert`` (shortest plans), ``session`` (playing). Games are made by
:mod:`teachable.generation.textworld`.
"""
