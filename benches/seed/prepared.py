"""The seed with users in it: every worker has them, since each keeps its own."""
import json
import os

from microservices import app, users

with open(os.environ["USERS"], encoding="utf-8") as lines:
    for line in lines:
        user = json.loads(line)
        users[user["username"]] = user

__all__ = ["app"]
