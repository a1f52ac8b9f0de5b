"""Generation by an OpenAI-compatible server: a running vLLM, or any other.

A server that takes and returns token ids (vLLM: ``/completions`` with ``return_token_ids``) is
token-exact: episodes keep the sampled ids with their log-probabilities. Any other server is called
through ``/chat/completions`` and returns text only; `ServerEngine.exact` tells which. Requests to a
server that drops are repeated, with growing pauses, for `patience` seconds.
"""

from __future__ import annotations

import asyncio
import math
import os
import queue
import random
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx

from agents.engines.backend import Backend, EngineOptions, TrainerLink, always
from agents.engines.base import (
    ContextError,
    Generation,
    Request,
    Sampling,
    generate_in_session,
)
from agents.engines.vllm import TRL_SETTINGS
from agents.models.chat import ChatFormat, ChatOptions
from agents.models.paths import TINY
from agents.runs.progress import console
from srenv.episode import Message
from srenv.thoughts import THOUGHTS

API_KEY = "OPENAI_API_KEY"
"""The environment variable that holds the key, for servers that require one."""

MAX_ID = 1 << 24
"""Token ids are below this; no vocabulary is larger."""

_THINK = "<think>"
_PROBE = "Solve 3x + 4 = 19.\n\\boxed{5}"
_LONG_PROMPT = re.compile("context[_ ]length", re.IGNORECASE)
"""What servers that return text only say of a prompt that does not fit."""
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_PAUSES = 0.25, 15.0
"""The first and the longest pause between two attempts to connect, in seconds."""


class ServerError(RuntimeError):
    """The server refused a request, sent an invalid answer, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How to connect to a server."""

    base_url: str
    """Root of its API, such as ``http://localhost:8000/v1``."""
    model: str | None = None
    """Name of the model on the server; None takes the only one served."""
    tokenizer: str | None = None
    """Folder or hub id of its tokenizer; None takes the one of the model that the server names as
    its source."""
    concurrency: int = 128
    """Maximum number of simultaneous requests."""
    patience: float = 300.0
    """Seconds for which requests are repeated to a server that does not answer."""
    timeout: float = 600.0
    """Seconds that one answer may take."""
    chat: ChatOptions = field(default_factory=ChatOptions)
    """How conversations are shown to the model."""


class ServerEngine:
    """An engine behind HTTP.

    Attributes:
        chat: The tokenizer's chat format, or `TextChat` if the server returns text only.
        exact: Whether the server takes and returns token ids.

    Raises:
        ServerError: The server cannot be reached, does not serve the model, or does not say
            whether it returns token ids.
    """

    def __init__(self, options: ServerOptions) -> None:
        key = os.environ.get(API_KEY)
        self.options = options
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(headers=self.headers, timeout=min(60.0, options.timeout)) as client:
            served = _served_model(client, options)
        self.model = str(served["id"])
        tokenizer = options.tokenizer or str(served.get("root") or self.model)
        chat = _chat_format(tokenizer, options.chat)
        self.exact = chat is not None and self._returns_ids(chat)
        self.chat: ChatFormat = (
            chat
            if chat is not None and self.exact
            else TextChat(options.chat, chat.opened if chat else "")
        )
        length = served.get("max_model_len")  # vLLM's; without ids nothing can be counted
        self.context = length if self.exact and isinstance(length, int) else None

    def session(self, sampling: Sampling) -> ServerSession:
        """Opens a queue of requests."""
        return ServerSession(self, sampling)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt.

        Raises:
            ServerError: The server returns text only, and so takes no ids.
        """
        if not self.exact:
            raise ServerError("a server that returns text only takes messages: use a session")
        return generate_in_session(self, prompts, sampling)

    def close(self) -> None:
        """Does nothing: connections belong to sessions."""

    def body(self, request: Request, sampling: Sampling) -> tuple[str, dict[str, Any]]:
        """Returns the path and the JSON body of a request."""
        common: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        if (seed := request.seed(sampling)) is not None:
            common["seed"] = seed
        if not self.exact:
            if options := self.options.chat.template_kwargs:
                common["chat_template_kwargs"] = dict(options)
            return "chat/completions", {**common, "messages": self.chat.shown(request.messages)}
        return "completions", {
            **common,
            "prompt": request.prompt,
            "stop_token_ids": sampling.ends(self.chat),
            "logprobs": 0,
            "return_token_ids": True,
            # Some models ship other defaults; they would skew log-probs.
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        }

    def read(self, answer: Any, sampling: Sampling) -> Generation:
        """Parses the answer to a request.

        Raises:
            ServerError: The answer is invalid.
        """
        try:
            choice = answer["choices"][0]
            if not self.exact:
                # Lone surrogates cannot be written to a file.
                text = _message_text(choice["message"]).encode("utf-8", "replace").decode()
                ids = self.chat.encode(text)
                used = int((answer.get("usage") or {}).get("completion_tokens", 0))
                known = 0 < used <= sampling.max_new_tokens
                return Generation(ids, [math.nan] * len(ids), used if known else None)
            ids = [int(token) for token in choice["token_ids"]]
            logprobs = [float(value) for value in choice["logprobs"]["token_logprobs"]]
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ServerError(f"the server's answer lacks something: {error!r}") from error
        if len(ids) != len(logprobs) or len(ids) > sampling.max_new_tokens:
            raise ServerError(f"the server sent {len(ids)} ids and {len(logprobs)} log-probs")
        if not all(0 <= token < MAX_ID for token in ids) or not all(map(math.isfinite, logprobs)):
            raise ServerError("the server sent ids or log-probs that are out of range")
        return Generation(ids, logprobs)

    def _returns_ids(self, chat: ChatFormat) -> bool:
        """Returns whether the server takes and returns token ids: not if it refuses to.

        Raises:
            ServerError: It failed or gave no answer, or its tokenizer is not the one of `chat`.
        """
        ids = chat.encode(_PROBE)
        body: dict[str, Any] = {"model": self.model, "prompt": _PROBE, "max_tokens": 1}
        body |= {"logprobs": 0, "return_token_ids": True, "add_special_tokens": False}
        with closing(self.session(Sampling())) as session:
            response = session.post("completions", body)
        if response.is_server_error:
            raise _refusal(response)
        try:
            choice = response.json()["choices"][0]
            prompt_ids = choice["prompt_token_ids"]
            exact = bool(choice["token_ids"])
        except (ValueError, KeyError, TypeError, IndexError):
            return False
        if prompt_ids != ids:
            raise ServerError(
                f"{self.options.base_url} and the local tokenizer disagree about the ids of "
                f"the same text: name the tokenizer of {self.model!r} with --tokenizer"
            )
        return exact


class ServerSession:
    """A queue of concurrent requests to a server, sent by a thread with an event loop."""

    barrier = False

    def __init__(self, engine: ServerEngine, sampling: Sampling) -> None:
        self.engine, self.sampling = engine, sampling
        self._answers: queue.Queue[tuple[int, Generation | Exception]] = queue.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._serve(),), daemon=True
        )
        self._thread.start()
        self._ready.wait()

    def submit(self, request: Request) -> None:
        """Sends a request as soon as fewer than `concurrency` are pending."""
        self._loop.call_soon_threadsafe(self._start, request)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Sends a request of any kind, and waits for the response.

        Raises:
            ServerError: There is none in `patience` seconds.
        """
        return asyncio.run_coroutine_threadsafe(self._post(path, body), self._loop).result()

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        """Waits up to 20 ms for answers."""
        try:
            results = [self._answers.get(timeout=0.02)]
        except queue.Empty:
            return []
        while not self._answers.empty():
            results.append(self._answers.get_nowait())
        return results

    def close(self) -> None:
        """Closes the connections; vLLM stops generating for a client that is gone."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._loop.close()

    async def _serve(self) -> None:
        options = self.engine.options
        limits = httpx.Limits(max_connections=options.concurrency)
        self._slots = asyncio.Semaphore(options.concurrency)
        async with httpx.AsyncClient(
            headers=self.engine.headers,
            timeout=httpx.Timeout(options.timeout, connect=10.0),
            limits=limits,
        ) as client:
            self._client = client
            self._ready.set()
            await self._stop.wait()
            pending = asyncio.all_tasks() - {asyncio.current_task()}
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _start(self, request: Request) -> None:
        task = self._loop.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Request) -> None:
        path, body = self.engine.body(request, self.sampling)
        try:
            async with self._slots:
                answer = _json(await self._post(path, body))
            self._answers.put((request.key, self.engine.read(answer, self.sampling)))
        except Exception as error:
            self._answers.put((request.key, error))

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Posts until there is an answer or a refusal, or `patience` is over."""
        url = _url(self.engine.options, path)
        pause, longest = _PAUSES
        deadline = time.monotonic() + self.engine.options.patience
        while True:
            try:
                response = await self._client.post(url, json=body)
                if response.status_code not in _RETRIED:
                    return response
                problem = f"status {response.status_code}"
            except httpx.TransportError as error:
                problem = f"{type(error).__name__} {error}".strip()
            if time.monotonic() + pause > deadline:
                patience = self.engine.options.patience
                raise ServerError(f"{url} gave no answer in {patience:.0f} s; last: {problem}")
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)


class TextChat(ChatFormat):
    """A chat format without a tokenizer, for servers that return text only: ids are characters.

    Args:
        options: What is shown of a conversation.
        opened: The thought that the model's template opens, if that is known.
    """

    exact = False

    def __init__(self, options: ChatOptions | None = None, opened: str = "") -> None:
        self.tokenizer = None
        self.options = options or ChatOptions()
        self.opened = opened
        self.end_ids, self.stop_ids = [], frozenset()
        self.line_ends = frozenset({ord("\n")})

    def opening(self, messages: Sequence[Message]) -> list[int]:
        """Returns the characters of the messages."""
        return self.encode("\n\n".join(message["content"] for message in messages))

    def follow_up(self, messages: Sequence[Message], ids: Sequence[int]) -> list[int]:
        """Returns the characters of the messages."""
        return self.encode("".join(f"\n\n{message['content']}\n\n" for message in messages))

    def text(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids."""
        return "".join(map(chr, ids))

    def turn_text(self, ids: Sequence[int]) -> str:
        """Returns the text of a turn, with the thought that the server's template opened for it."""
        text = self.text(ids)
        return text if text.startswith(_THINK) else self.opened + text

    def encode(self, text: str) -> list[int]:
        """Returns one id per character."""
        return list(map(ord, text))


def _message_text(message: Mapping[str, Any]) -> str:
    """Returns a message with its thought in front, which some servers send apart."""
    content = message["content"] or ""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(content, str) or not isinstance(thought, str):
        raise TypeError("a message that is not text")
    if not thought:
        return content
    return f"{_THINK}{thought}" + (f"{THOUGHTS[_THINK]}{content}" if content else "")


def _url(options: ServerOptions, path: str) -> str:
    return f"{options.base_url.rstrip('/')}/{path}"


def _refusal(response: httpx.Response) -> ServerError:
    return ServerError(
        f"{response.url} refused: status {response.status_code}, {response.text[:500]}"
    )


def _json(response: httpx.Response) -> Any:
    if response.status_code == 400 and _LONG_PROMPT.search(response.text):
        raise ContextError(f"{response.url} refused: {response.text[:500]}")
    if response.is_error:
        raise _refusal(response)
    try:
        return response.json()
    except ValueError as error:
        raise ServerError(f"{response.url} did not answer in JSON") from error


def _served_model(client: httpx.Client, options: ServerOptions) -> Mapping[str, Any]:
    """Returns the server's own record of the model."""
    try:
        served = _json(client.get(_url(options, "models")))["data"]
        by_name = {str(model["id"]): model for model in served}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(
            f"no server answers at {options.base_url} ({error}); start one, for example with "
            "'vllm serve MODEL', and give its address with --base-url http://HOST:PORT/v1"
        ) from error
    except (KeyError, TypeError) as error:
        raise ServerError(f"{options.base_url}/models is not an OpenAI-compatible list") from error
    if options.model is None and len(by_name) == 1:
        return dict(next(iter(by_name.values())))
    if options.model not in by_name:
        raise ServerError(
            f"{options.base_url} does not serve {options.model!r}; it serves "
            f"{', '.join(by_name) or 'nothing'}: choose with --model"
        )
    return dict(by_name[options.model])


def _chat_format(tokenizer: str, options: ChatOptions) -> ChatFormat | None:
    """Returns the chat format of a tokenizer by folder or hub id; None if there is none."""
    try:
        return ChatFormat.load(tokenizer, options)
    except Exception:  # a name from a server may lead to anything; there is text without it
        return None


def _load(options: EngineOptions) -> ServerEngine:
    engine = ServerEngine(
        ServerOptions(
            base_url=options.base_url or "",
            model=None if options.model == TINY else options.model,
            tokenizer=options.tokenizer,
            concurrency=options.batch_size,
            patience=options.patience,
            chat=options.chat,
        )
    )
    kind = "token-exact" if engine.exact else "text only: no token log-probs"
    console.print(f"engine: {engine.model} at {options.base_url} ({kind})", markup=False)
    return engine


def _model_name(engine: ServerEngine, options: EngineOptions) -> str:
    return engine.model


def _settings(base_url: str | None, memory: float) -> dict[str, Any]:
    root = (base_url or "").rstrip("/").removesuffix("/v1")
    return {**TRL_SETTINGS, "vllm_mode": "server", "vllm_server_base_url": root}


def _trainer_engine(trainer: Any) -> ServerEngine:
    # The main process sends the weights; no process may ask before they have arrived.
    trainer.accelerator.wait_for_everyone()
    return _exact_engine(f"{trainer.args.vllm_server_base_url}/v1")


def _check(base_url: str | None) -> None:
    _exact_engine(base_url or "")


def _exact_engine(base_url: str) -> ServerEngine:
    engine = ServerEngine(ServerOptions(base_url))
    if not engine.exact:
        raise ServerError(
            f"training needs token ids, and {base_url} does not return those of a tokenizer that "
            "can be loaded here: start it as docs/scaling.md shows, with "
            "'VLLM_SERVER_DEV_MODE=1 vllm serve MODEL' and a MODEL that this machine has, too"
        )
    return engine


SERVER = Backend(
    name="server",
    load=_load,
    suits=always,
    remote=True,
    model_name=_model_name,
    trainer=TrainerLink(engine=_trainer_engine, settings=_settings, check=_check),
)
"""A server; a trainer needs one that takes weights from TRL (docs/scaling.md)."""
