"""HLS playlists."""

from fractions import Fraction

from features.videos.fragments import Fragment, FragmentedFile
from features.videos.playlists import (
    Audio,
    Part,
    Rendition,
    average_rate,
    captions_playlist,
    key_frame_playlist,
    key_frames,
    master_playlist,
    media_playlist,
    peak_rate,
    segments,
)


def part(name: str, sizes: list[int], durations: list[int], head: str = "same") -> Part:
    fragments, offset = [], 700
    for size, duration in zip(sizes, durations, strict=True):
        fragments.append(Fragment(offset, size, size // 10, 0, duration, duration * 1000))
        offset += size
    return Part(name, FragmentedFile(700, head, "avc1.64001e", 30_000, tuple(fragments), offset))


PARTS = [part("360p-0.mp4", [1000, 2000, 3000, 4000], [60] * 4), part("360p-1.mp4", [500, 600, 70], [60, 60, 9])]


def test_segments_end_with_their_file() -> None:
    assert [(one.name, one.offset, one.size, one.duration) for one in segments(PARTS, 2)] == [
        ("360p-0.mp4", 700, 3000, 4),
        ("360p-0.mp4", 3700, 7000, 4),
        ("360p-1.mp4", 700, 1100, 4),
        ("360p-1.mp4", 1800, 70, Fraction("0.3")),
    ]


def test_rates() -> None:
    found = segments(PARTS, 2)
    assert peak_rate(found) == 7000 * 8 / 4
    assert average_rate(found) == -(-11_170 * 8 * 10 // 123)
    assert peak_rate(segments([part("a", [70], [9])], 2)) == -(-70 * 8 * 10 // 3)


def test_a_media_playlist() -> None:
    assert (
        media_playlist(PARTS, segments(PARTS, 2))
        == """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="360p-0.mp4",BYTERANGE="700@0"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:3000@700
360p-0.mp4
#EXTINF:4.000000,
#EXT-X-BYTERANGE:7000@3700
360p-0.mp4
#EXTINF:4.000000,
#EXT-X-BYTERANGE:1100@700
360p-1.mp4
#EXTINF:0.300000,
#EXT-X-BYTERANGE:70@1800
360p-1.mp4
#EXT-X-ENDLIST
"""
    )


def test_files_that_begin_otherwise_initialise_the_decoder_anew() -> None:
    parts = [PARTS[0], part("360p-1.mp4", [500], [60], "other"), part("360p-2.mp4", [500], [60], "other")]
    lines = media_playlist(parts, segments(parts, 2)).splitlines()
    assert [line for line in lines if "EXT-X-MAP" in line] == [
        '#EXT-X-MAP:URI="360p-0.mp4",BYTERANGE="700@0"',
        '#EXT-X-MAP:URI="360p-1.mp4",BYTERANGE="700@0"',
    ]


def test_a_playlist_of_key_frames() -> None:
    text = key_frame_playlist(PARTS)
    assert "#EXT-X-I-FRAMES-ONLY" in text
    assert text.count("#EXTINF") == 7
    assert "#EXTINF:2.000000,\n#EXT-X-BYTERANGE:200@1700\n360p-0.mp4" in text
    assert sum(one.duration for one in key_frames(PARTS)) == Fraction("12.3")


def rendition(name: str, width: int, height: int, rate: int) -> Rendition:
    return Rendition(name, width, height, Fraction(30000, 1001), "avc1.64001e", rate, rate // 2, rate // 10)


def test_a_master_playlist() -> None:
    text = master_playlist(
        [rendition("360p", 640, 360, 800_000), rendition("720p", 1280, 720, 2_000_000)],
        Audio("mp4a.40.2", 130_000, 128_000),
        [("de", 'Deutsch "quoted"\n#EXT-X-EVIL')],
    )
    assert (
        text
        == """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="Deutsch 'quoted' #EXT-X-EVIL",LANGUAGE="de",DEFAULT=NO,\
AUTOSELECT=YES,URI="captions-de.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=930000,AVERAGE-BANDWIDTH=528000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,\
FRAME-RATE=29.970,AUDIO="audio",SUBTITLES="captions"
360p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2130000,AVERAGE-BANDWIDTH=1128000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=1280x720,\
FRAME-RATE=29.970,AUDIO="audio",SUBTITLES="captions"
720p.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=80000,CODECS="avc1.64001e",RESOLUTION=640x360,URI="360p-iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,CODECS="avc1.64001e",RESOLUTION=1280x720,URI="720p-iframes.m3u8"
"""
    )


def test_a_master_playlist_of_a_silent_video() -> None:
    text = master_playlist([rendition("360p", 640, 360, 800_000)], None, [])
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001e"' in text


def test_a_playlist_of_captions() -> None:
    text = captions_playlist("captions-de.vtt", Fraction("12.3"))
    assert "#EXT-X-TARGETDURATION:13" in text
    assert "#EXTINF:12.300000,\ncaptions-de.vtt\n#EXT-X-ENDLIST" in text
