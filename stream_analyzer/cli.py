"""The command line. Errors become one line and an exit code; heavy imports wait for the command that needs them."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from stream_analyzer import __version__, analyze_command, library_command, sets_command
from stream_analyzer.assembly import load_all_heads, load_heads, make_inputs, set_log
from stream_analyzer.errors import ConfigError, StreamAnalyzerError
from stream_analyzer.settings.config import PCM_FORMATS, SETTINGS, Settings, is_secret, load_settings, setting_help
from stream_analyzer.system.streams import prepare_streams, write_json_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_COMMON_SETTINGS = ("models", "log_level")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    code = 0
    prepare_streams()
    try:
        options = _parser().parse_args(arguments)
        flags = {name: value for name, value in vars(options).items() if name.removesuffix("_file") in SETTINGS}
        settings = load_settings(flags, file=options.config)
        _set_up_logging(settings.log_level)
        if settings.json:
            write_json_alone()
        code = options.command(options, settings)
    except* StreamAnalyzerError as group:
        code = _report(group)
    except* BrokenPipeError:
        # Whoever read our output has gone, as `| head` does; nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except* KeyboardInterrupt:
        pass
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        msg = f"{message}; see: {self.prog} --help"
        raise ConfigError(msg)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="stream-analyzer", description="Genre and tempo of live sound, as a stream.")
    parser.add_argument("--version", action="version", version=f"stream-analyzer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="listen, and serve page and stream", description="Listen, and serve.")
    _add_settings(run, *(name for name in SETTINGS if name not in _COMMON_SETTINGS))
    run.set_defaults(command=_run)

    subscribe = commands.add_parser("subscribe", help="follow a running analyzer", description="Follow an analyzer.")
    subscribe.add_argument("url", nargs="?", help="of its page or stream, or host:port; default: this machine's")
    subscribe.add_argument("--types", help="kinds of messages, with commas between them")
    subscribe.add_argument("--input", dest="input_name", metavar="NAME", help="of several inputs the one to follow")
    subscribe.add_argument("--hz", type=float, help="at most so many of each kind a second")
    _add_settings(subscribe, "json", "token")
    subscribe.set_defaults(command=_subscribe)

    analyze = commands.add_parser("analyze", help="analyse whole files", description="Analyse whole sound files.")
    analyze_command.add_arguments(analyze)
    _add_settings(analyze, "channel", "tempo_range", "json")
    analyze.set_defaults(command=_analyze)

    similar = commands.add_parser(
        "similar", help="list files that sound alike", description="List the files of a library that are most like one."
    )
    library_command.add_similar_arguments(similar)
    _add_settings(similar, "channel", "tempo_range", "json")
    similar.set_defaults(command=_similar)

    devices = commands.add_parser("devices", help="list sound devices", description="List sound devices with inputs.")
    _add_settings(devices, "json")
    devices.set_defaults(command=_devices)

    models = commands.add_parser("models", help="list or verify the models", description="List or verify the models.")
    models.add_argument("action", nargs="?", choices=["list", "verify"], default="list")
    _add_settings(models, "json")
    models.set_defaults(command=_models)

    sets = commands.add_parser(
        "sets", help="list, show and export past sets", description="What the set log holds, and what is made of it."
    )
    sets_command.add_arguments(sets)
    _add_settings(sets, "log", "json")
    sets.set_defaults(command=_sets)

    mark = commands.add_parser("mark", help="mark this moment, or name a part", description=sets_command.MARK_HELP)
    sets_command.add_mark_arguments(mark)
    _add_settings(mark, "log", "host", "port", "token")
    mark.set_defaults(command=_mark)

    schema = commands.add_parser(
        "schema", help="print the stream's schema", description="Print the schema, AsyncAPI 3."
    )
    schema.set_defaults(command=_schema)

    for command in (run, subscribe, analyze, similar, devices, models, sets, mark, schema):
        _add_settings(command, *_COMMON_SETTINGS)
        command.add_argument("--config", type=Path, metavar="FILE.toml", help="settings file; flags go before it")
    return parser


def _add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add flags for settings; their values are checked in `config`, like those of file and environment."""
    for name in names:
        flag = "--" + name.replace("_", "-")
        if is_secret(name):
            parser.add_argument(flag, dest=name, nargs="?", const="", help=argparse.SUPPRESS)  # refused in `config`
            parser.add_argument(f"{flag}-file", metavar="FILE", help=f"file that holds the {setting_help(name)}")
        elif name == "json":
            parser.add_argument(flag, action="store_const", const="true", help="write JSON lines to standard output")
        elif name == "link":
            parser.add_argument(flag, action="store_const", const="true", help=setting_help(name))
        elif name == "input":
            parser.add_argument(flag, dest=name, action="append", metavar="SOURCE", help=setting_help(name))
        elif name == "models":
            parser.add_argument(flag, dest=name, metavar="DIR", help=setting_help(name))
        else:
            metavar = "|".join(PCM_FORMATS) if name == "format" else name.rsplit("_", maxsplit=1)[-1].upper()
            parser.add_argument(flag, dest=name, metavar=metavar, help=setting_help(name))


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A port scanner is no fault of ours; its broken handshakes need no traceback each. And what websockets writes to
    # debug holds whole requests, with the tokens in them.
    logging.getLogger("websockets").setLevel(logging.INFO if level == "debug" else logging.CRITICAL)
    if level != "debug":  # what the MQTT client finds wrong, our own line says
        logging.getLogger("stream_analyzer.serving.mqtt.sink.client").setLevel(logging.CRITICAL)


def _report(group: BaseExceptionGroup[StreamAnalyzerError]) -> int:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    _note(f"stream-analyzer: {error}")
    return error.exit_code if isinstance(error, StreamAnalyzerError) else 1


def _note(text: str) -> None:
    print(text.replace("\n", " "), file=sys.stderr, flush=True)  # noqa: T201


def _write_line(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError as error:
        msg = f"can't write to standard output: {error.strerror}; free some space or write elsewhere"
        raise StreamAnalyzerError(msg) from error


def _run(_options: argparse.Namespace, settings: Settings) -> int:
    import asyncio  # noqa: PLC0415

    from stream_analyzer import pipeline  # noqa: PLC0415
    from stream_analyzer.reloading import Reloading  # noqa: PLC0415
    from stream_analyzer.settings import login  # noqa: PLC0415
    from stream_analyzer.settings.supervised import supervisor  # noqa: PLC0415
    from stream_analyzer.system.memory import map_large_pieces  # noqa: PLC0415
    from stream_analyzer.system.threads import DaemonThreads  # noqa: PLC0415

    def announce(url: str) -> None:
        link = login.link(url, serving.access, kept=not settings.token)
        _note(f"Stream Analyzer {__version__}: open {link} in a browser; Ctrl-C ends")
        login.show_codes(url, serving.access, phone=settings.input == "phone")

    async def serve() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        task = asyncio.current_task()
        reloading = Reloading(partial(load_all_heads, settings))
        if task:
            _heed_signals(end=task.cancel, reload=reloading.ask)
        write_line = _write_line if settings.json else None
        await pipeline.run(
            inputs,
            serving=serving,
            announce=announce,
            write_line=write_line,
            log=log,
            reloading=reloading,
            supervisor=supervisor(),
        )

    map_large_pieces()
    serving = login.serving(settings)
    log = set_log(settings, note=_note)
    # On a terminal, with no other program that listens, a person can mend what is missing; else nobody may be there.
    attended = sys.stderr.isatty() and not (settings.json or settings.mqtt or settings.osc)
    inputs = make_inputs(settings, attended=attended, note=_note)
    # On Windows aiomqtt needs this loop; it holds 512 connections there, so it is for those alone who publish by MQTT.
    loop_factory = asyncio.SelectorEventLoop if settings.mqtt else None
    with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve())
    return 0


def _heed_signals(*, end: Callable[[], object], reload: Callable[[], object]) -> None:
    """Let a supervisor end the program like Ctrl-C, sinks' farewells included, and so the closing of its terminal.

    Where there is no terminal, SIGHUP is how a supervisor asks to read files again.
    """
    import asyncio  # noqa: PLC0415

    # Windows can't handle the one in a loop, and knows no other.
    for name, heed in (("SIGTERM", end), ("SIGHUP", end if _has_terminal() else reload)):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP, and means it
            with suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(number, heed)


def _has_terminal() -> bool:
    """Tell whether there is a terminal whose closing would be told by SIGHUP, even if all goes elsewhere."""
    with suppress(OSError), Path("/dev/tty").open("rb"):
        return True
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _subscribe(options: argparse.Namespace, settings: Settings) -> int:
    from stream_analyzer.client.endpoint import TEXT_TYPES  # noqa: PLC0415
    from stream_analyzer.client.live_line import LINE_TYPES, follow, show_line, write_messages  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    types = options.types or (TEXT_TYPES if settings.json else LINE_TYPES)
    url, token = options.url or f"{host}:{settings.port}", settings.token or None
    with follow(url, types=types, hz=options.hz, token=token, input_name=options.input_name) as stream:
        if settings.json:
            write_messages(stream, _write_line, _note)
        else:
            show_line(stream, _write_line, _note)
    return 0


def _analyze(options: argparse.Namespace, settings: Settings) -> int:
    return analyze_command.run(options, settings, _write_line, _note)


def _similar(options: argparse.Namespace, settings: Settings) -> int:
    return library_command.similar(options, settings, _write_line)


def _devices(_options: argparse.Namespace, settings: Settings) -> int:
    from dataclasses import asdict  # noqa: PLC0415

    from stream_analyzer.sound.device.portaudio import list_devices  # noqa: PLC0415

    devices = list_devices()
    if settings.json:
        rows = [asdict(device) | {"monitor": device.monitors} for device in devices]
        _write_line(json.dumps(rows, ensure_ascii=False))
        return 0
    if not devices:
        _note("no sound device with an input here; try: stream-analyzer run --input demo")
    for device in devices:
        mark = "*" if device.default else " "
        what = f"{device.channels} channels, {device.rate_hz} Hz, {device.host_api}"
        _write_line(f"{mark} {device.index:3d}  {device.name}  ({what}{', monitor' * device.monitors})")
    return 0


def _models(options: argparse.Namespace, settings: Settings) -> int:
    results = []
    for head in load_heads(settings):
        if not head.model:
            continue
        manifest = head.model.manifest
        result: dict[str, Any] = {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "window_s": manifest.window_s,
        }
        if options.action == "verify":
            head.model.verify()
            result["verified"] = True
        results.append(result)
    for result in results:
        if settings.json:
            _write_line(json.dumps(result, ensure_ascii=False))
            continue
        verdict = "  ok: golden output reproduced" if "verified" in result else ""
        shown = f"{result['name']}  version {result['version']}  sha256 {result['sha256'][:16]}"
        _write_line(f"{shown}  window {result['window_s']:.1f} s{verdict}")
    return 0


def _sets(options: argparse.Namespace, settings: Settings) -> int:
    return sets_command.run(options, settings, _write_line, _note)


def _mark(options: argparse.Namespace, settings: Settings) -> int:
    return sets_command.mark(options, settings, _note)


def _schema(_options: argparse.Namespace, _settings: Settings) -> int:
    from stream_analyzer.system.resources import resource_folder  # noqa: PLC0415

    _write_line((resource_folder("docs") / "asyncapi.yaml").read_text().rstrip())
    return 0
