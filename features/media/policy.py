"""What a brand can change about media."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    max_image_bytes: int = 30 * 1024 * 1024
    max_video_bytes: int = 2 * 1024 * 1024 * 1024
    max_bytes_per_account: int = 50 * 1024 * 1024 * 1024
    """What an account has stored and is uploading, together."""
    max_open_uploads: int = 50
    """Uploads of one account that are not complete, parts of others included."""
    max_parts: int = 2_000
    """Requests and parts of which one upload consists."""
    upload_lifetime: timedelta = timedelta(hours=24)
    """How long after its last bytes an upload can be continued."""
    buffer_bytes: int = 64 * 1024 * 1024
    """What all uploads of a process buffer together before each stores smaller parts."""
    stall_timeout: timedelta = timedelta(seconds=30)
    """How long a request may send nothing before it is answered."""
    max_image_pixels: int = 50_000_000
    max_image_frames: int = 1_000
    image_widths: tuple[int, ...] = (320, 640, 1080, 2048)
    """Of the files that others see, in pixels. A file is never wider than the image."""
    image_quality: int = 80
    """Of the encoders, 1 to 100."""
    image_memory_bytes: int = 256 * 1024 * 1024
    """What decoding an image may take; the program has some 40 MB beside it."""
    image_decoding_s: float = 1.9
    """CPU seconds for decoding an image."""
    image_encoding_s: float = 10.0
    """CPU seconds for writing its files, of pixels that were decoded already."""
    image_elapsed_s: float = 120.0
    """Seconds for an image in all."""
    avif_reads: int = 100
    """Reads of an image in one process that make it get AVIF files."""
    avif_quality: int = 55
    """Of the encoder, 1 to 100: it looks like WebP at `image_quality`."""
    avif_encoding_s: float = 60.0
    """CPU seconds for all AVIF files of an image, at the lowest priority."""
    avif_elapsed_s: float = 600.0
    hash_distance: int = 31
    """Of 256 bits, in which the hash of a picture and one of the list may differ, at most 31. Meta advises 31."""
    hash_quality: int = 50
    """Pictures of a lower quality of the hash (0 to 100) have too little in them to be compared."""
    hash_list_bytes: int = 256 * 1024 * 1024
    """How large a list of hashes may be."""
    hash_list_refresh: timedelta = timedelta(minutes=15)
    """How old the list may be when a picture is compared with it."""
    evidence_lifetime: timedelta = timedelta(days=90)
    """How long what matched the list is held for moderators. The law of some countries says how long it must be, or
    that it must not."""
    address_lifetime: timedelta = timedelta(minutes=30)
    """How long an address of content is good at least; at most twice that."""
    unattached_grace: timedelta = timedelta(days=7)
    """How long a medium is kept that nothing shows."""
    public_cache_age: timedelta = timedelta(hours=1)
    """How long caches may keep a file of a public post without asking again."""
    garbage_grace: timedelta = timedelta(hours=1)
    """How long an object stays in storage after the last medium with that content is deleted."""

    @property
    def max_upload_bytes(self) -> int:
        return max(self.max_image_bytes, self.max_video_bytes)
