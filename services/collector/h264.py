"""Reads the little of H.264 that decides whether segments may be joined by copying.

Pure: ISO/IEC 14496-12 boxes, the avcC record of ISO/IEC 14496-15, the sequence parameter set of
ITU-T H.264 7.3.2.1. Bytes that make no sense give None or False, never an exception.
"""

from __future__ import annotations

SEI_NAL_TYPE = 6
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def parameter_sets(index: bytes) -> bytes | None:
    """The content of the one avcC box in an mp4's index (moov); None when there is not one."""
    at = index.find(b"avcC")
    if at < 4 or index.find(b"avcC", at + 4) >= 0:
        return None
    size = int.from_bytes(index[at - 4 : at])
    content = index[at + 4 : at - 4 + size]
    return content if len(content) == size - 8 and len(content) > 8 else None


def frames_only(avcc: bytes) -> bool:
    """True when the first sequence parameter set says that no picture is interlaced."""
    size = int.from_bytes(avcc[6:8])
    sps = avcc[8 : 8 + size]
    if len(sps) != size or size < 5 or sps[0] & 31 != 7:
        return False
    try:
        return _frame_mbs_only(_Bits(_unescaped(sps[1:])))
    except IndexError:
        return False


class _Bits:
    """Bits from the front; Exp-Golomb numbers as in H.264 9.1."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte = self._data[self._at // 8]
            value = value << 1 | (byte >> (7 - self._at % 8) & 1)
            self._at += 1
        return value

    def number(self) -> int:
        zeros = 0
        while not self.bits(1):
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)


def _unescaped(payload: bytes) -> bytes:
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


def _frame_mbs_only(bits: _Bits) -> bool:
    profile = bits.bits(8)
    bits.bits(16)
    bits.number()
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        if chroma == 3:
            bits.bits(1)
        bits.number()
        bits.number()
        bits.bits(1)
        if bits.bits(1):
            # Scaling matrices: no encoder of ours or of ComfyUI writes them; code such video anew.
            return False
    bits.number()
    order_type = bits.number()
    if order_type == 0:
        bits.number()
    elif order_type == 1:
        bits.bits(1)
        bits.number()
        bits.number()
        for _ in range(bits.number()):
            bits.number()
    bits.number()
    bits.bits(1)
    bits.number()
    bits.number()
    return bool(bits.bits(1))
