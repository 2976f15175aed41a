"""The Dramatiq side: boots a process, decodes rings, calls a flow, keeps leases alive."""
