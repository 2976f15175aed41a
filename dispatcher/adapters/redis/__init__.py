"""The mailbox store on Redis: one Lua script a step."""
