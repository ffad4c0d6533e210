"""Decides which of the kernel's system calls a student's code may make, as a seccomp filter.

It shuts what has been the way out of sandboxes, what no limit counts, and what acts on the whole
machine. The list holds everything that Docker's default profile denies to a container without
capabilities (moby, profiles/seccomp), and more. It is a list of what is denied, with a ceiling:
an allow-list breaks honest code whenever the C library learns a call, whereas calls that are newer
than this list answer "no such call", for which every library has a second way.

Run by path beside kernel_server.py inside the sandbox: imports nothing of `autograde`.
"""

from __future__ import annotations

import ctypes
import platform
import struct

# (x86_64, aarch64) numbers, None where a machine has no such call. Sources: asm/unistd_64.h and
# asm-generic/unistd.h of Linux.
DENIED_CALLS = {
    # namespaces and mounts: the walls themselves
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # other processes' memory and files
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # where the kernel's flaws have been
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "remap_file_pages": (216, 234),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "nfsservctl": (180, 42),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    # the machine as a whole
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "sync": (162, 81),  # of every disk: slows whoever writes one
    "syncfs": (306, 267),
    # memory that belongs to no process, so that no limit would count it
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}
NEWEST_CALL = 462  # mseal
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
CLONE, CLONE3, SOCKET, SOCKETPAIR = (56, 220), (435, 435), (41, 198), (53, 199)
SETRLIMIT, PRLIMIT, SETAFFINITY = (160, 164), (302, 261), (203, 122)
NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW flag of clone(2)
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
PROTOCOLS = (0, 6, 17)  # the default, TCP, UDP; others load kernel modules that few have looked at
RLIMIT_CORE = 4

# linux/bpf_common.h, linux/seccomp.h
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, JUMP_IF_ABOVE, GIVE = 0x20, 0x15, 0x45, 0x25, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x50000
NO_PERMISSION, NO_CALL, NO_FAMILY, NO_PROTOCOL, DONE = (ERROR | n for n in (1, 38, 97, 93, 0))
NUMBER, ARCHITECTURE = 0, 4


def argument(index, high=False):
    """Offset in struct seccomp_data of the low (or high) half of an argument, little-endian."""
    return 16 + 8 * index + 4 * high


def _one_of(offset, values, otherwise):
    """Go on if the word at `offset` is one of `values`, else answer `otherwise`."""
    last = len(values) - 1
    return [
        (LOAD, 0, 0, offset),
        *((JUMP_IF_EQUAL, last - i + 1, 0, value) for i, value in enumerate(values)),
        (GIVE, 0, 0, otherwise),
    ]


def _for_call(number, body):
    """`body` for one call, after which it is allowed; other calls pass by."""
    return [(JUMP_IF_EQUAL, 0, len(body) + 1, number), *body, (GIVE, 0, 0, ALLOW)]


def program(machine):
    """The filter as bytes of struct sock_filter, or None where `machine`'s calls are not known."""
    if machine not in MACHINES:
        return None
    architecture, column = MACHINES[machine]
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_IF_EQUAL, 1, 0, architecture),  # 32-bit calls have other numbers
        (GIVE, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_IF_ABOVE, 0, 1, NEWEST_CALL),  # the x32 calls are up there too
        (GIVE, 0, 0, NO_CALL),
        (JUMP_IF_EQUAL, 0, 1, CLONE3[column]),  # its flags lie in memory, out of a filter's sight
        (GIVE, 0, 0, NO_CALL),
    ]
    for numbers in DENIED_CALLS.values():
        if numbers[column] is not None:
            code += [(JUMP_IF_EQUAL, 0, 1, numbers[column]), (GIVE, 0, 0, NO_PERMISSION)]
    # Which core it runs on is the server's to say; an honest program need not know.
    code += [(JUMP_IF_EQUAL, 0, 1, SETAFFINITY[column]), (GIVE, 0, 0, DONE)]
    deny = (GIVE, 0, 0, NO_PERMISSION)
    code += _for_call(
        CLONE[column],
        [(LOAD, 0, 0, argument(0)), (JUMP_IF_SET, 0, 1, NEW_NAMESPACES), deny],
    )
    code += _for_call(SOCKETPAIR[column], _one_of(argument(0), (UNIX,), NO_FAMILY))
    # Vsock, for one, knows no network namespace. Netlink's protocol 0 is the list of interfaces.
    code += _for_call(
        SOCKET[column],
        [
            (LOAD, 0, 0, argument(0)),
            (JUMP_IF_EQUAL, 0, 4, NETLINK),
            *_one_of(argument(2), (0,), NO_PROTOCOL),
            (GIVE, 0, 0, ALLOW),
            *_one_of(argument(0), (UNIX, INET, INET6), NO_FAMILY),
            *_one_of(argument(2), PROTOCOLS, NO_PROTOCOL),
        ],
    )
    # A limit of 1 keeps a crash from being handed to the machine's own crash reporter, which a
    # limit of 0 does not (core(5)); so it has to stay.
    code += _for_call(
        SETRLIMIT[column],
        [(LOAD, 0, 0, argument(0)), (JUMP_IF_EQUAL, 0, 1, RLIMIT_CORE), deny],
    )
    code += _for_call(
        PRLIMIT[column],
        [
            (LOAD, 0, 0, argument(1)),
            (JUMP_IF_EQUAL, 0, 5, RLIMIT_CORE),
            (LOAD, 0, 0, argument(2)),  # the new value, or no pointer where it is only asked for
            (JUMP_IF_EQUAL, 0, 2, 0),
            (LOAD, 0, 0, argument(2, high=True)),
            (JUMP_IF_EQUAL, 1, 0, 0),
            deny,
        ],
    )
    code.append((GIVE, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def install(libc):
    """Filter this process's and its children's system calls; True where the machine is known."""
    bytecode = program(platform.machine())
    if bytecode is None:
        return False
    buffer = ctypes.create_string_buffer(bytecode, len(bytecode))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    head = Program(len(bytecode) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    set_seccomp, filter_mode = 22, 2
    values = (filter_mode, ctypes.addressof(head), 0, 0)
    return libc.prctl(set_seccomp, *map(ctypes.c_ulong, values)) == 0
