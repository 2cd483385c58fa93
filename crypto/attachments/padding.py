"""Length padding, so that a ciphertext's size does not name the file: Padmé (Nikitin et al., "Reducing Metadata
Leakage from Encrypted Files and Communication with PURBs", PoPETs 2019, §4).

It leaks O(log log L) bits of a length L and adds less than 12 %.
"""

MIN_LENGTH = 512


def padded_length(length: int) -> int:
    """The length in bytes that ``length`` (>= 0) bytes are padded to; at least 512."""
    if length <= MIN_LENGTH:
        return MIN_LENGTH
    exponent = length.bit_length() - 1  # floor(log2 length)
    kept_bits = exponent.bit_length()  # floor(log2 exponent) + 1
    mask = (1 << (exponent - kept_bits)) - 1
    return (length + mask) & ~mask
