"""The commands: compose a configuration, build the objects, run."""
