"""The layout of conversations as token ids."""

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

from agents.models.chat import ChatFormat, chat_options, stop_ids
from agents.models.roles import ATTEMPT, VERDICT
from srenv.episode import Problem, Turn
from srenv.protocol import Protocol
from tests.support.chats import CHATML, small_tokenizer, trl_template

USER = {"role": "user", "content": "Go"}


@pytest.fixture
def chat(untrained):
    return ChatFormat.load(untrained)


@pytest.fixture
def plain(untrained):
    """The format of a base model, whose tokenizer has no template."""
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    tokenizer.chat_template = None
    return ChatFormat(tokenizer)


def test_a_tokenizer_without_a_template_gets_a_plain_one(plain):
    ids = plain.opening([{"role": "user", "content": "Hello"}])
    assert plain.tokenizer.decode(ids) == "User: Hello<|end|>\n\nAssistant: "


def test_a_follow_up_continues_a_closed_turn(plain):
    text = plain.tokenizer.decode(plain.follow_up([USER], plain.end_ids))
    assert text == "\n\nUser: Go<|end|>\n\nAssistant: "


def test_a_follow_up_ends_a_turn_that_was_cut_off(plain):
    text = plain.tokenizer.decode(plain.follow_up([USER], []))
    assert text == "<|end|>\n\nUser: Go<|end|>\n\nAssistant: "


def test_a_conversation_grows_by_appending(chat):
    messages = [USER, {"role": "assistant", "content": "\\boxed{3}"}, USER]
    ids = chat.opening(messages[:1]) + chat.encode("\\boxed{3}")
    assert ids + chat.follow_up(messages[2:], []) == chat.opening(messages)


def test_a_token_that_ends_a_sentence_and_a_line_ends_the_line():
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer, bpe.decoder = ByteLevel(add_prefix_space=False, use_regex=False), Decoder()
    bpe.train_from_iterator(["a.\n", "b.\n"], BpeTrainer(special_tokens=["</s>"]))
    chat = ChatFormat(PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>"))
    *words, last = chat.encode("ab.\n")
    assert chat.turn_text([last]).endswith(".\n")
    assert last in chat.line_ends
    assert not chat.line_ends & {*words, chat.tokenizer.eos_token_id}


@pytest.mark.parametrize(("eos", "ids"), [(None, []), (3, [3]), ([3, 7], [3, 7])])
def test_stop_ids_are_read_from_a_generation_config(eos, ids):
    assert stop_ids(GenerationConfig(eos_token_id=eos)) == ids


def test_a_model_ends_turns_with_the_ids_of_its_generation_config(untrained, tmp_path):
    AutoTokenizer.from_pretrained(untrained).save_pretrained(tmp_path)
    GenerationConfig(eos_token_id=[5, 6]).save_pretrained(tmp_path)
    chat = ChatFormat.load(str(tmp_path))
    assert chat.stop_ids == {5, 6, chat.tokenizer.eos_token_id}


def test_a_model_without_a_generation_config_ends_turns_with_its_tokenizers_end(
    untrained, tmp_path
):
    AutoTokenizer.from_pretrained(untrained).save_pretrained(tmp_path)
    chat = ChatFormat.load(str(tmp_path))
    assert chat.stop_ids == {chat.tokenizer.eos_token_id}


def test_sampled_ids_belong_to_the_verdict_from_its_first_character(chat):
    ids = [*chat.encode("\\boxed{3}\n[VERIFY] correct"), chat.tokenizer.eos_token_id]
    roles = chat.roles(ids, len("\\boxed{3}"))
    attempt = [token for token, role in zip(ids, roles, strict=True) if role == ATTEMPT]
    assert chat.turn_text(attempt) == "\\boxed{3}"
    assert roles[-1] == VERDICT


def test_a_turn_known_as_text_has_the_roles_of_a_sampled_one(chat):
    text = "\\boxed{3}\n[VERIFY] correct"
    split = len("\\boxed{3}")
    ids, roles = chat.encode_turn(Turn(text, "3", "correct", None, split, "", True, "test", {}))
    assert ids == [*chat.encode(text), chat.tokenizer.eos_token_id]
    assert roles == chat.roles(ids, split)


def test_a_base_model_gets_the_bos_that_its_tokenizer_puts_in_front():
    for adds_bos, start in ((True, "<s>User: "), (False, "User: ")):
        base = ChatFormat(small_tokenizer(None, "</s>", adds_bos=adds_bos))
        assert base.tokenizer.decode(base.opening([USER])).startswith(start)


@pytest.mark.parametrize("eos", ["<|endoftext|>", None])
def test_a_tokenizer_without_a_pad_token_gets_one(eos):
    tokenizer = small_tokenizer(CHATML, eos)
    chat = ChatFormat(tokenizer)
    assert tokenizer.pad_token == (eos or "<|im_end|>")
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in chat.stop_ids


def test_a_system_message_is_the_templates_or_is_put_before_the_first_request():
    messages = Protocol(system="Be brief.").opening(Problem("p", "1+1?", "2", "test"))
    assert [message["role"] for message in messages] == ["system", "user"]
    chat = ChatFormat(small_tokenizer(CHATML))
    assert "<|im_start|>system\nBe brief.<|im_end|>" in chat.tokenizer.decode(
        chat.opening(messages)
    )
    gemma = ChatFormat(small_tokenizer(trl_template("gemma")))
    text = gemma.tokenizer.decode(gemma.opening(messages))
    assert text.startswith("<s><start_of_turn>user\nBe brief.\n\n1+1?")


def test_the_template_is_told_what_the_options_say():
    tokenizer = small_tokenizer(trl_template("qwen3"))
    options = chat_options("all", '{"enable_thinking": false}')
    text = tokenizer.decode(ChatFormat(tokenizer, options=options).opening([USER]))
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    with pytest.raises(ValueError, match="needs a JSON object"):
        chat_options("all", "enable_thinking=false")


def test_a_turn_that_stops_at_another_end_is_ended_by_the_follow_up():
    chat = ChatFormat(small_tokenizer(CHATML))
    tail = "<|im_end|>\n<|im_start|>user\nGo<|im_end|>\n<|im_start|>assistant\n"
    for end, expected in (("<|endoftext|>", tail), ("<|im_end|>", tail[len("<|im_end|>") :])):
        ids = chat.encode(f"hm{end}")
        assert chat.tokenizer.decode(chat.follow_up([USER], ids)) == expected
