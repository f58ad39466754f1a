"""denyPrctl.py OPTION COMMAND...: runs it under a seccomp filter that answers EPERM to prctl(OPTION), as a strict container may."""
import ctypes
import os
import struct
import sys

PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
LD_W_ABS, JEQ, RET = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7FFF0000, 0x00050001

program = [
    (LD_W_ABS, 0, 0, 0),  # the number of the call
    (JEQ, 0, 3, PRCTL),
    (LD_W_ABS, 0, 0, 16),  # its first argument
    (JEQ, 0, 1, int(sys.argv[1])),
    (RET, 0, 0, EPERM),
    (RET, 0, 0, ALLOW),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in program))


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
chosen = Filter(len(program), ctypes.addressof(code))
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(chosen), 0, 0) == 0
os.execvp(sys.argv[2], sys.argv[2:])
