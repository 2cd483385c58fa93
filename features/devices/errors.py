"""The errors of devices."""

from features.errors import Conflict, Invalid, LimitReached, NotFound, RateLimited, Unavailable


class BadIdentityKey(Invalid):
    """The bytes are not an identity key of a device."""

    code = "bad_identity_key"
    detail = "This is no identity key."
    field = "identity_key"


class BadSessionBinding(Invalid):
    """The signature is not the device's, or is about another account, device number or sign-in session."""

    code = "bad_session_binding"
    detail = "The device's identity key has not signed that this session acts for it."
    field = "session_binding"


class BadAccountKeys(Invalid):
    """The bytes are no version of this account's keys, or have other devices than the account has after the change."""

    code = "bad_account_keys"
    detail = "These are not the account's keys with the change that the request makes."
    field = "account_keys"


class AccountKeysOutdated(Conflict):
    """The keys do not follow the newest version: somebody has changed the account's devices meanwhile. `current` holds
    the newest version and the number of the next device."""

    code = "account_keys_outdated"
    detail = "The account's devices have changed: check the newest keys, and make a version that follows them."
    field = "account_keys"


class DevicesExist(Conflict):
    """The account has a device, which has to approve a further one."""

    code = "devices_exist"
    detail = "You have a device: link this one to it."


class SessionHasDevice(Conflict):
    """The sign-in session acts for another device."""

    code = "session_has_device"
    detail = "This session acts for another of your devices."


class NoSuchDevice(NotFound):
    """The caller has no such device."""

    code = "no_such_device"
    detail = "You have no such device."


class TooManyDeviceChanges(RateLimited):
    """The caller's devices have changed too often within a day."""

    code = "too_many_device_changes"
    detail = "Your devices have changed too often; try again tomorrow."


class NotADevice(Conflict):
    """The caller's session acts for no device."""

    code = "not_a_device"
    detail = "Your session acts for none of your devices: register one, or bind the session to it."


class BadPreKeys(Invalid):
    """The bytes are no prekeys, or not those of the caller's device."""

    code = "bad_prekeys"
    field = "prekeys"


class TooManyPreKeys(LimitReached):
    """The upload has too many one-time prekeys, or the device would have."""

    code = "too_many_prekeys"
    field = "prekeys"


class BadKeyPackage(Invalid):
    """Members of a group would not add the caller's device by this KeyPackage."""

    code = "bad_key_package"
    field = "key_packages"


class TooManyKeyPackages(LimitReached):
    """The device would have too many KeyPackages."""

    code = "too_many_key_packages"
    field = "key_packages"


class TooManyClaims(RateLimited):
    """The caller has claimed keys of this account too often within the hour."""

    code = "too_many_claims"
    detail = "You have asked for this person's keys too often."


class NoSuchHead(NotFound):
    """The key directory has not had that many epochs, or the range of epochs is empty."""

    code = "no_such_head"
    detail = "The key directory has no head of this size."


class DirectoryUnavailable(Unavailable):
    """The key directory has no epoch yet, or its secrets are not those that it began with."""

    code = "key_directory_unavailable"
    detail = "The key directory cannot answer at the moment."


class NoSuchDeviceLink(NotFound):
    """The caller's account has no such link: it may have expired, or been approved."""

    code = "no_such_device_link"
    detail = "You have no such link to a device."


class TooManyDevices(LimitReached):
    """The caller has as many devices as are allowed."""

    code = "too_many_devices"
