"""The steps of a study as functions of tables and models: what stages call on files, and a notebook on frames.

Each module is one step, so that a stage's key follows the code of its own step only.
"""
