"""Topics: one contract (`contract`), one module or package per broker."""
