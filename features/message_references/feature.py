"""What this slice declares. It stores nothing."""

from features.feature import Feature, Scope
from features.message_references.service import ReferenceService
from features.message_references.tokens import derive_key
from features.posts.feature import POSTS
from features.posts.service import PostService
from features.relationships.feature import RELATIONSHIPS
from features.stories.feature import STORIES
from features.stories.service import StoryService


def _service(scope: Scope) -> ReferenceService:
    key = derive_key(scope.settings.cluster_secret.get_secret_value().encode(), scope.brand)
    return ReferenceService(scope.service(PostService), scope.service(StoryService), key)


MESSAGE_REFERENCES = Feature(name="message_references", needs=(POSTS, RELATIONSHIPS, STORIES), service=_service)
