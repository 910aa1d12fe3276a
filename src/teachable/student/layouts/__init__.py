"""The prompt layouts, one a module, called as it is: the class ``LAYOUT`` in it writes a decision down.

Another module here is another layout: ``student.layout`` takes its name.
"""
