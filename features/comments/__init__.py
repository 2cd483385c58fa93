"""Comments on posts: nested, moderated by the post's author."""
