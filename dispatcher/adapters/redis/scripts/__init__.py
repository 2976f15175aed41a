"""The Lua scripts, packed as data: one file a step, with its contract on top."""
