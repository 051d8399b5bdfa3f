"""The tree that tools/lint checks, and as much of C and C++ as its rules need."""
import functools
import os
import re

PLACES = ("core", "cpp", "bench", "tests", "tools", ".ci")
SKIPPED = ("node_modules", "corpus", "__pycache__")
CODE = (".c", ".h", ".cpp", ".hpp", ".inc")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

# Comments, raw strings, strings, characters.
LEXEME = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z])'(?:\\.|[^'\\\n])+'", re.S)


def spaces(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """The text with comments and the insides of strings as spaces; places stay the same."""
    def blank(match):
        lexeme = match[0]
        if match["comment"]:
            return spaces(lexeme)
        return '"' + spaces(lexeme[1:-1]) + '"'
    return LEXEME.sub(blank, text)


def without_directives(text):
    """The text without preprocessor lines, of which a macro's body is no code by itself."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda match: spaces(match[0]), text,
                  flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Block:
    """A pair of braces: what stands before it, and where it begins and ends."""

    def __init__(self, head, start, outer):
        self.head, self.start, self.outer = head, start, outer
        self.end = start

    def is_function(self):
        return bool(re.search(r"\)[^=;]*$", self.head)) and not self.is_scope()

    def is_scope(self):
        """Holds declarations."""
        plain = re.sub(r"(?:__attribute__|alignas)\s*\(.*\)", "", self.head)
        scope = re.search(r"\b(?:namespace|class|struct|union|extern\s*\"\s*\")", plain)
        return bool(scope) and ("(" not in plain or plain.lstrip().startswith("template")
                                and not plain.rstrip().endswith(")"))


def blocks(code):
    """All blocks of code that has no comments or directives, in the order in which they end."""
    stack, done, since = [], [], 0
    for match in re.finditer(r"[{};]", code):
        place = match.start()
        if match[0] == "{":
            stack.append(Block(code[since:place].strip(), place, stack[-1] if stack else None))
        elif match[0] == "}" and stack:
            stack[-1].end = place
            done.append(stack.pop())
        since = place + 1
    return done


class Tree:
    """The project's files. With only, rules report on those files alone, but may read others."""

    def __init__(self, root, build, only=None):
        self.root, self.build = root, build
        names = [name for name in ("Makefile", "README.md") if os.path.exists(self.full(name))]
        for place in PLACES:
            for folder, folders, files in os.walk(self.full(place)):
                folders[:] = sorted(f for f in folders if f not in SKIPPED)
                names += [os.path.relpath(os.path.join(folder, f), root) for f in sorted(files)]
        self.files = [name for name in names if only is None or name in only]

    def full(self, path):
        return os.path.join(self.root, path)

    def exists(self, path):
        return os.path.isfile(self.full(path))

    def code(self, *prefixes, suffixes=CODE):
        """C and C++ files whose path begins with one of the prefixes."""
        return [path for path in self.files
                if path.endswith(tuple(suffixes)) and path.startswith(prefixes or ("",))]

    @functools.lru_cache(None)
    def text(self, path):
        with open(self.full(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    @functools.lru_cache(None)
    def bare(self, path):
        return without_directives(without_comments(self.text(path)))

    @functools.lru_cache(None)
    def includes(self, path):
        """(line, quote, name, project file or None) of every #include."""
        comments = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
        text = comments.sub(lambda match: spaces(match[0]), self.text(path))
        found = []
        for match in INCLUDE.finditer(text):
            places = ([os.path.dirname(path), "core", "tests"] if match[1] == '"' else
                      ["core/include", "cpp/include"])
            targets = (os.path.normpath(os.path.join(place, match[2])) for place in places)
            target = next((t for t in targets if self.exists(t)), None)
            found.append((line_of(text, match.start(2)), match[1], match[2], target))
        return found

    def objects(self, *prefixes):
        """(source, object) of the C sources."""
        pairs = [(path, os.path.join(self.build, "obj", path[:-2] + ".o"))
                 for path in self.code(*prefixes, suffixes=(".c",))]
        for path, made in pairs:
            if not os.path.exists(self.full(made)):
                raise SystemExit(f"lint: there is no {made}: build first")
        return pairs
