"""XXH3-64 in plain Python, seed 0 or any other, as docs/format/xxh3.md describes it."""

import struct

MASK = 0xFFFFFFFFFFFFFFFF
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
MX1, MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")


def _u32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def _u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def _fold(a, b):
    """The two halves of the 128-bit product, one laid over the other."""
    product = a * b
    return (product & MASK) ^ (product >> 64)


def _rotl(x, n):
    return ((x << n) | (x >> (64 - n))) & MASK


def _swap(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def _avalanche_xxh64(h):
    h = ((h ^ (h >> 33)) * P64_2) & MASK
    h = ((h ^ (h >> 29)) * P64_3) & MASK
    return h ^ (h >> 32)


def _avalanche(h):
    h = ((h ^ (h >> 37)) * MX1) & MASK
    return h ^ (h >> 32)


def _mix16(data, at, secret_at, seed):
    low, high = struct.unpack_from("<QQ", data, at)
    s_low, s_high = struct.unpack_from("<QQ", SECRET, secret_at)
    return _fold(low ^ ((s_low + seed) & MASK), high ^ ((s_high - seed) & MASK))


def _short(data, seed):
    """0 to 16 bytes."""
    n = len(data)
    if n == 0:
        return _avalanche_xxh64(seed ^ _u64(SECRET, 56) ^ _u64(SECRET, 64))
    if n <= 3:
        combined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return _avalanche_xxh64(combined ^ ((_u32(SECRET, 0) ^ _u32(SECRET, 4)) + seed) & MASK)
    if n <= 8:
        seed ^= int.from_bytes((seed & 0xFFFFFFFF).to_bytes(4, "little"), "big") << 32
        flip = ((_u64(SECRET, 8) ^ _u64(SECRET, 16)) - seed) & MASK
        h = (_u32(data, n - 4) + (_u32(data, 0) << 32)) ^ flip
        h = ((h ^ _rotl(h, 49) ^ _rotl(h, 24)) * MX2) & MASK
        h = ((h ^ ((h >> 35) + n)) * MX2) & MASK
        return h ^ (h >> 28)
    low = _u64(data, 0) ^ ((_u64(SECRET, 24) ^ _u64(SECRET, 32)) + seed) & MASK
    high = _u64(data, n - 8) ^ ((_u64(SECRET, 40) ^ _u64(SECRET, 48)) - seed) & MASK
    return _avalanche((n + _swap(low) + high + _fold(low, high)) & MASK)


def _medium(data, seed):
    """17 to 240 bytes."""
    n = len(data)
    acc = n * P64_1
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            acc += _mix16(data, 16 * i, 32 * i, seed)
            acc += _mix16(data, n - 16 * (i + 1), 32 * i + 16, seed)
        return _avalanche(acc & MASK)
    for i in range(8):
        acc += _mix16(data, 16 * i, 16 * i, seed)
    acc = _avalanche(acc & MASK)
    for i in range(8, n // 16):
        acc += _mix16(data, 16 * i, 16 * (i - 8) + 3, seed)
    acc += _mix16(data, n - 16, 136 - 17, seed)
    return _avalanche(acc & MASK)


def _accumulate(acc, data, at, keys):
    lanes = struct.unpack_from("<8Q", data, at)
    for i in range(8):
        key = lanes[i] ^ keys[i]
        acc[i ^ 1] += lanes[i]
        acc[i] = (acc[i] + (key & 0xFFFFFFFF) * (key >> 32)) & MASK


def _long(data, seed):
    """More than 240 bytes."""
    secret = SECRET
    if seed:
        words = struct.unpack("<24Q", SECRET)
        secret = struct.pack("<24Q", *((w - seed if i % 2 else w + seed) & MASK
                                       for i, w in enumerate(words)))
    keys = [struct.unpack_from("<8Q", secret, 8 * i) for i in range(17)]  # [16]: the scramble
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    n = len(data)
    stripes = (n - 1) // 64
    for stripe in range(stripes):
        _accumulate(acc, data, 64 * stripe, keys[stripe % 16])
        if stripe % 16 == 15:
            acc = [((a & MASK) ^ ((a & MASK) >> 47) ^ k) * P32_1 & MASK
                   for a, k in zip(acc, keys[16])]
    _accumulate(acc, data, n - 64, struct.unpack_from("<8Q", secret, 192 - 64 - 7))
    merge = struct.unpack_from("<8Q", secret, 11)
    h = n * P64_1
    for i in range(0, 8, 2):
        h += _fold((acc[i] & MASK) ^ merge[i], (acc[i + 1] & MASK) ^ merge[i + 1])
    return _avalanche(h & MASK)


def xxh3_64(data, seed=0):
    """The hash of a bytes-like object as an int."""
    if len(data) <= 16:
        return _short(data, seed)
    return _medium(data, seed) if len(data) <= 240 else _long(data, seed)
