"""Parts of SQL statements on devices, for statements of other slices. Arguments are SQL expressions."""


def devices_of(accounts: str) -> str:
    """A query of the devices (account_id, number, session_id) of the accounts in an array that others can write to:
    those that have published prekeys. A device that never did must not keep messages from its account."""
    return f"""
select account_id, number, session_id from devices
where account_id = any({accounts}) and exists (
    select from device_prekeys as p where p.account_id = devices.account_id and p.device = devices.number
)"""
