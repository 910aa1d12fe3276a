"""The forms of export, one a module, called as it is: ``ABOUT`` says what it makes, ``write`` makes it."""
