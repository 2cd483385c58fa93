"""Roles in a group: owners, admins and members, agreed on in the group's context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from crypto.errors import DecodeError
from crypto.mls.authorization import Roster
from crypto.mls.codec import Reader, decode_exactly, opaque, u8, vector
from crypto.mls.credentials import Credential
from crypto.mls.errors import NotAuthorized
from crypto.mls.extensions import Extension, Extensions, ExtensionType, find_extension
from crypto.mls.identity_credential import IdentityCredential
from crypto.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)


class Role(IntEnum):
    """What an account may do: a higher role may do all that a lower one may."""

    MEMBER = 0
    ADMIN = 1
    OWNER = 2


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of accounts, by the bytes that name an account; who is not listed is a member."""

    by_account: Mapping[bytes, Role]

    def of_account(self, account: bytes) -> Role:
        return self.by_account.get(account, Role.MEMBER)

    @property
    def has_owner(self) -> bool:
        return Role.OWNER in self.by_account.values()

    def extension(self) -> Extension:
        """For the group's context: ``(opaque account<V>; uint8 role) roles<V>``, in the order of the accounts."""
        listed = sorted((account, role) for account, role in self.by_account.items() if role != Role.MEMBER)
        return Extension(ExtensionType.ROLES, vector(opaque(account) + u8(role) for account, role in listed))

    @classmethod
    def of(cls, extensions: Extensions) -> "Roles":
        """The roles in a group's context, nobody's if it has no such extension. Raises DecodeError."""
        data = find_extension(extensions, ExtensionType.ROLES)
        if data is None:
            return cls({})
        entries = decode_exactly(data, lambda reader: reader.vector(_decode_entry))
        accounts = [account for account, _ in entries]
        if any(a >= b for a, b in pairwise(accounts)):
            raise DecodeError("the roles are not in increasing order of accounts")
        return cls(dict(entries))


def _decode_entry(reader: Reader) -> tuple[bytes, Role]:
    account, role = reader.opaque(), reader.u8()
    if role not in (Role.ADMIN, Role.OWNER):
        raise DecodeError("invalid role")
    return account, Role(role)


def user_of(credential: Credential) -> bytes:
    """The account of an identity credential: its user, in UTF-8."""
    return IdentityCredential.of(credential).user.encode()


_OWNERS_EXTENSIONS = (ExtensionType.ROLES, ExtensionType.EXTERNAL_SENDERS, ExtensionType.REQUIRED_CAPABILITIES)


class RoleAuthorization:
    """The rules of a messenger.

    - Everybody: renew the own keys, inject pre-shared keys, add and remove devices of the own account.
    - Admins: add anybody, remove members, change the group's extensions.
    - Owners: remove anybody, change roles, external senders and required capabilities, close the group by a ReInit.

    There is always an owner listed, also in the group that a ReInit announces. In a group without roles
    nobody is more than a member.
    """

    __slots__ = ("_account",)

    def __init__(self, account: Callable[[Credential], bytes] = user_of) -> None:
        """``account`` names the account to which a credential belongs, and depends on nothing else."""
        self._account = account

    def check(self, proposal: Proposal, actor: Credential, roster: Roster) -> None:
        roles, account = Roles.of(roster.extensions), self._account(actor)
        role = roles.of_account(account)
        match proposal:
            case Update() | PreSharedKey():
                return
            case ExternalInit():
                allowed = any(self._account(credential) == account for credential in roster.credentials())
            case Add(key_package):
                allowed = role >= Role.ADMIN or self._account(key_package.leaf_node.credential) == account
            case Remove(removed):
                allowed = self._may_remove(removed, account, roles, roster)
            case ReInit(extensions=extensions):
                allowed = role == Role.OWNER and Roles.of(extensions).has_owner
            case GroupContextExtensions(extensions):
                allowed = self._may_change(roster.extensions, extensions, role)
        if not allowed:
            raise NotAuthorized(f"a {role.name.lower()} may not do this: {type(proposal).__name__}")

    def _may_remove(self, removed: int, account: bytes, roles: Roles, roster: Roster) -> bool:
        credential, role = roster.credential(removed), roles.of_account(account)
        if credential is None:
            return False
        theirs = self._account(credential)
        return theirs == account or role == Role.OWNER or role > roles.of_account(theirs)

    @staticmethod
    def _may_change(before: Extensions, after: Extensions, role: Role) -> bool:
        if not Roles.of(after).has_owner:
            return False
        same = all(find_extension(before, kind) == find_extension(after, kind) for kind in _OWNERS_EXTENSIONS)
        return role == Role.OWNER or (role == Role.ADMIN and same)
