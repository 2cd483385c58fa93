"""The rule for who may see a comment: whoever sees its post, unless the comment is hidden, or its author and the reader
are apart. A hidden comment is shown to its author and to the post's author.

`shown_to` is the second half, as an SQL predicate; the first is the post's (features/posts/privacy.py). Every statement
that can show a comment has both, or follows one of the same request that had the first.
"""

from features.relationships.visibility import apart


def shown_to(viewer: str, moderator: str) -> str:
    """Returns a predicate on the table ``comments``: the viewer, who may see the post, may see the comment. `moderator`
    is the author of the post. Both are SQL expressions for account ids; a null viewer is not signed in."""
    author = "comments.author_id"
    return f"""({author} is null or (
        (comments.hidden_at is null or {author} = {viewer} or {moderator} = {viewer})
        and not {apart(author, viewer)}))"""
