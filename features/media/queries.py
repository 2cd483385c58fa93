"""Parts of SQL statements on media, for slices that show them. Arguments are SQL expressions."""


def holder(medium: str) -> str:
    """Returns what shows a medium (`attached_to`), or null: a scalar query."""
    return f"(select media.attached_to from media where media.id = {medium})"


def attached_file(medium: str, name: str) -> str:
    """Returns a query of a file of a medium that something shows: the columns of StoredFile, and `attached_to`. What
    was uploaded is none of a medium's files."""
    return f"""select file.content_type, file.size, file.digest, media.attached_to
        from media join media_files as file on file.media_id = media.id
        where media.id = {medium} and media.attached_to is not null and file.name = {name}"""
