"""Parts of SQL statements on media, for slices that show them. Arguments are SQL expressions."""


def holder(medium: str) -> str:
    """Returns what shows a medium (`attached_to`), or null: a scalar query."""
    return f"(select media.attached_to from media where media.id = {medium})"


def named_file(medium: str, name: str) -> str:
    """Returns a query of a file of a medium: the columns of StoredFile. What was uploaded is none of a medium's files.
    An AVIF file is made later, if at all: the WebP file is in its place until then."""
    return f"""select content_type, size, digest from media_files
        where media_id = {medium} and name in ({name}, replace({name}, '.avif', '.webp'))
        order by name limit 1"""  # in alphabetical order, AVIF comes first


def attached_file(medium: str, name: str) -> str:
    """Returns a query of a file of a medium that something shows: the columns of `named_file`, and `attached_to`."""
    return f"""select file.content_type, file.size, file.digest, media.attached_to
        from media cross join lateral ({named_file("media.id", name)}) as file
        where media.id = {medium} and media.attached_to is not null"""
