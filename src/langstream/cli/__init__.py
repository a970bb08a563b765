"""The command `langstream`: parse, call, print. Each command is a module, imported when it is used."""
