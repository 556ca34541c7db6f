"""``plano-agents hash-key``: hashes of clients' keys, for both servers."""

import sys

import click


@click.command("hash-key")
@click.option("--new", is_flag=True, help="Make a key, and print it with its hash.")
def hash_key_command(*, new: bool) -> None:
    """Hash a client's key, or make a new one.

    The hash is for client_keys of the router, or api_keys of the agent server. The key is asked for, or
    read from standard input where that is not a terminal.
    """
    from plano_agents.config.key_hashes import hash_key, new_key  # noqa: PLC0415

    if new:
        key = new_key()
        click.echo(f"key   {key}\nhash  {hash_key(key)}")
        click.echo(
            "Give the key to the client, and put the hash under client_keys (router) or api_keys (agent server), by the client's "
            "name. It is shown once.",
            err=True,
        )
        return
    key = click.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    try:
        click.echo(hash_key(key))
    except ValueError as error:
        message = str(error)
        raise click.ClickException(f"{message[0].upper()}{message[1:]}: plano-agents hash-key --new.") from None
