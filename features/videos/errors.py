"""The errors of videos."""

from features.errors import Conflict, Invalid, LimitReached, NotFound


class NotAVideo(Conflict):
    """The medium is no video."""

    code = "not_a_video"
    detail = "The medium is no video."


class NoSuchFile(NotFound):
    """The stream has no such file, or not yet."""

    code = "no_such_file"
    detail = "The stream has no such file."


class NoSuchCaptions(NotFound):
    """The video has no captions in this language."""

    code = "no_such_captions"
    detail = "The video has no captions in this language."


class BadLanguage(Invalid):
    """The language is no language tag such as `en`, `pt-BR` or `zh-Hant`."""

    code = "bad_language"
    detail = "Write the language as a tag such as en, pt-BR or zh-Hant."
    field = "language"


class BadCaptions(Invalid):
    """The captions are no WebVTT."""

    code = "bad_captions"
    field = "webvtt"


class TooManyCaptions(LimitReached):
    """The video has captions in as many languages as are allowed."""

    code = "too_many_captions"
