"""Brings Mission Control notifications to agents at an OpenClaw gateway and writes replies back."""
