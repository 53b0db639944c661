"""The terminal: what it can show, how it is driven, and how it is given back.

``environment`` decides before Textual is imported; ``launch.run_app`` runs the program; ``driver``,
``output``, ``keyboard`` and ``lifelines`` see to it that the terminal is left as it was found.
"""
