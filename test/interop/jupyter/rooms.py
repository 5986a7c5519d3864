"""Two people in the room of one document, with pycrdt: whoever may write it, and whoever may read it. One line for each check."""

import json
import os
import time

import websocket
from jupyter_ydoc import YNotebook
from pycrdt import Doc, create_sync_message, create_update_message, handle_sync_message

TOKENS = json.loads(os.environ["TOKENS"])
URL = os.environ["ROOM_URL"]
SYNC, RAW = 0, 2


def say(name, value):
    print(json.dumps({"name": name, "value": value}), flush=True)


class Person:
    def __init__(self, who):
        self.doc = Doc()
        self.notebook = YNotebook(self.doc)
        self.raw = []
        self.socket = websocket.create_connection(
            URL,
            header=[f"Authorization: Bearer {TOKENS[who]}"],
            sslopt={"ca_certs": os.environ["CA_FILE"]},
            timeout=0.2,
        )
        self.ask()
        self.until(lambda: self.notebook.source["cells"])

    def ask(self):
        """For what is in the document and is not known here yet."""
        self.socket.send_binary(create_sync_message(self.doc))

    def listen(self):
        try:
            message = self.socket.recv()
        except websocket.WebSocketTimeoutException:
            return
        if message[0] == SYNC:
            reply = handle_sync_message(message[1:], self.doc)
            if reply is not None:
                self.socket.send_binary(reply)
        elif message[0] == RAW:
            self.raw.append(json.loads(message[message.index(b"{") :]))

    def until(self, holds, seconds=15):
        deadline = time.monotonic() + seconds
        while not holds() and time.monotonic() < deadline:
            self.listen()
        return bool(holds())

    def write(self, text):
        """Tells what JupyterLab's own binding of the document makes of a new cell."""
        before = self.doc.get_state()
        cell = {"cell_type": "raw", "id": text, "metadata": {}, "source": text}
        self.notebook.append_cell(cell)
        self.socket.send_binary(create_update_message(self.doc.get_update(before)))

    def sees(self, text):
        return any(cell["source"] == text for cell in self.notebook.source["cells"])

    def save(self, number):
        self.socket.send_binary(bytes([RAW, 4]) + b"save" + bytes([number]))
        self.until(lambda: any(answer.get("responseTo") == number for answer in self.raw))
        return [answer["status"] for answer in self.raw if answer.get("responseTo") == number]


alice, bob = Person("alice"), Person("bob")
say("same", alice.notebook.source["cells"] == bob.notebook.source["cells"])

alice.write("from Alice")
say("reader sees", bob.until(lambda: bob.sees("from Alice")))

bob.write("from Bob")
bob.ask()
bob.until(lambda: False, 2)
alice.ask()
alice.until(lambda: False, 2)
say("writer does not see", bob.sees("from Bob") and not alice.sees("from Bob"))
say("nor does whoever comes", not Person("alice").sees("from Bob"))

say("reader saves", bob.save(7))
say("writer saves", alice.save(8))
