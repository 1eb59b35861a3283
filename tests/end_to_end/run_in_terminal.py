"""Runs a command on a terminal of its own and writes to standard output what the terminal is sent. SIGINT is
Ctrl-C on that terminal. Exits with the command's code.

    run_in_terminal.py COLUMNS COMMAND...
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
signal.signal(signal.SIGINT, lambda *_: os.write(terminal, b"\x03"))
while True:
    try:
        text = os.read(terminal, 4096)
    except OSError:  # the command has ended
        break
    if not text:
        break
    os.write(1, text)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xff)
