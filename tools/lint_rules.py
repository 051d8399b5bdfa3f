"""The rules of tools/lint. Each takes a Tree and yields (path, line, message)."""
import concurrent.futures
import os
import re
import subprocess

from lint_source import blocks, line_of

LIBRARY = ("core/base/", "core/wire/", "core/io/", "core/ws/")
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100
MAX_TOP_LINES = 12


# ---- who may include what

# Headers of the C library that need no kernel (of sockets, the structs; object_symbols sees calls),
# the intrinsics, and the libraries of wire.
PURE = re.compile(r"(?:assert|endian|errno|limits|stdarg|stdbool|stddef|stdint|string|strings|stdio"
                  r"|arpa/inet|netinet/in|sys/socket"
                  r"|immintrin|emmintrin|arm_neon|llhttp|openssl/(?:evp|sha)|zlib)\.h")
FREESTANDING = re.compile(r"std(?:bool|def|int)\.h")
STANDARD_CXX = re.compile(r"[a-z_]+")
ANY = re.compile(r".*")

# Room: (what "..." may begin with, what <...> may match beside <weir/...>).
ROOMS = {
    "core/include/": ((), FREESTANDING),
    "core/base/": (("base/",), ANY),
    "core/wire/": (("wire/", "base/"), PURE),
    "core/io/": (("io/", "base/"), ANY),
    "core/ws/": (("ws/", "io/", "wire/", "base/"), ANY),
    "core/examples/": (("examples/",), ANY),
    "cpp/include/": ((), STANDARD_CXX),
    "cpp/examples/": (("examples/",), ANY),
}


def room_of(path):
    return next((room for room in ROOMS if path.startswith(room)), None)


def include_directions(tree):
    """wire and io are siblings over base, ws joins them, cpp sees the public headers."""
    for path in tree.code(*ROOMS):
        room = room_of(path)
        quoted, system = ROOMS[room]
        for line, quote, name, target in tree.includes(path):
            if quote == '"':
                good = name.startswith(quoted) and target is not None
            elif name.startswith("weir/"):
                good = target is not None and not (room.startswith("core/")
                                                   and target.startswith("cpp/"))
            else:
                good = system.fullmatch(name)
            if not good:
                yield path, line, f"{room} may not include {name}"


def reached(tree, path, seen):
    for _, _, _, target in tree.includes(path):
        if target and target not in seen:
            seen.add(target)
            reached(tree, target, seen)
    return seen


def wire_is_pure(tree):
    """No wire file reaches the seam, by whatever way."""
    for path in tree.code("core/wire/"):
        if "core/base/sys.h" in reached(tree, path, set()):
            yield path, 1, "wire reaches base/sys.h"


def include_cycles(tree):
    for path in tree.code():
        if path in reached(tree, path, set()):
            yield path, 1, "includes itself, through other headers"


# ---- sizes and words

def is_text(tree, path):
    return (path.endswith(CODE_LIKE) or os.path.basename(path) == "Makefile"
            or tree.text(path).startswith("#!"))


CODE_LIKE = (".c", ".h", ".cpp", ".hpp", ".inc", ".py", ".sh", ".js", ".mjs")


def file_length(tree):
    for path in tree.files:
        lines = tree.text(path).count("\n")
        if is_text(tree, path) and lines >= MAX_FILE_LINES:
            yield path, lines, f"{lines} lines; under {MAX_FILE_LINES} fit a room"


def function_length(tree):
    for path in tree.code():
        code = tree.bare(path)
        for block in blocks(code):
            outer = block.outer
            while outer and outer.is_scope():
                outer = outer.outer
            lines = code.count("\n", block.start, block.end) + 1
            if outer is None and block.is_function() and lines >= MAX_FUNCTION_LINES:
                yield path, line_of(code, block.start), f"a function of {lines} lines"


def line_length(tree):
    for path in tree.files:
        if is_text(tree, path):
            for number, line in enumerate(tree.text(path).splitlines(), 1):
                if len(line) > MAX_COLUMNS:
                    yield path, number, f"{len(line)} columns"


def file_top(tree):
    """A file's first comment says what it is, shortly."""
    for path in tree.code("core/", "cpp/"):
        top = re.match(r"(?:/\*.*?\*/|(?://[^\n]*\n)+)", tree.text(path), re.S)
        if not top and path.endswith((".h", ".hpp")):
            yield path, 1, "a header begins with a comment that says what it is"
        if top and top[0].count("\n") >= MAX_TOP_LINES:
            yield path, 1, f"the comment at the top is over {MAX_TOP_LINES} lines"


WORDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


def forbidden_words(tree):
    for path in tree.files:
        if not path.endswith(("package-lock.json", ".patch")):
            for match in WORDS.finditer(tree.text(path)):
                yield path, line_of(tree.text(path), match.start()), f"{match[0]} stays undone"


# ---- the public headers

def declarations(code):
    """(offset, text) of the statements outside all blocks, their blocks' bodies left out."""
    depth, start, text = 0, 0, ""
    for match in re.finditer(r"[{};]|[^{};]+", code):
        piece = match[0]
        if not text.strip() and depth == 0:
            start, text = match.start() + len(piece) - len(piece.lstrip()), ""
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            text += "{}"
        elif depth == 0:
            text += piece
        if depth == 0 and (piece == ";" or piece == "}" and ")" in text):
            yield start, text.strip()
            text = ""


def documented(lines, number, follows):
    """Whether line number (1 is the first) stands under a comment, or directly under what is."""
    above = lines[number - 2].strip() if number >= 2 else ""
    return above.endswith("*/") or above.startswith("//") or (follows and above != "")


FORWARD = re.compile(r"(?:template <[^;]*> )?(?:struct|class|enum|union) \w+;")


def thread_markers(tree):
    """Every public function is documented and says which threads may call it."""
    for path in tree.code("core/include/"):
        code, lines = tree.bare(path), tree.text(path).splitlines()
        good = False
        for offset, text in declarations(code):
            number = line_of(code, offset)
            if FORWARD.fullmatch(text):
                continue
            good = documented(lines, number, good)
            if not good:
                yield path, number, "no comment above a public declaration"
            is_function = "(" in text and text.endswith(";") and "{}" not in text
            marked = text.startswith(("WEIR_ANY_THREAD", "WEIR_LOOP_THREAD"))
            if is_function and not marked and not text.startswith("typedef"):
                yield path, number, "says neither WEIR_ANY_THREAD nor WEIR_LOOP_THREAD"


def cpp_documented(tree):
    """What stands in namespace weir itself has a comment above, alone or as a group."""
    for path in tree.code("cpp/include/"):
        code, lines = tree.bare(path), tree.text(path).splitlines()
        for block in blocks(code):
            if block.outer is None and re.search(r"namespace\s+weir$", block.head):
                inside, good = code[block.start + 1:block.end], False
                for offset, text in declarations(inside):
                    if FORWARD.fullmatch(text):
                        continue
                    number = line_of(code, block.start + 1 + offset)
                    good = documented(lines, number, good) or text.startswith("namespace")
                    if not good:
                        yield path, number, "no comment above a public declaration"


COMPILERS = (("gcc", "-xc", "-std=c11"), ("clang", "-xc", "-std=c11"),
             ("g++", "-xc++", "-std=c++20"), ("clang++", "-xc++", "-std=c++20"))


def compile_alone(tree, path, compiler):
    private = path.startswith("core/") and not path.startswith("core/include/")
    folders = ["-Icore/include"] + (["-Icore"] if private else [])
    folders += ["-Icpp/include"] if path.endswith(".hpp") else []
    llhttp = [f for f in ("/usr/share/include/llhttp", ".deps/usr/share/include/llhttp")
              if private and os.path.isdir(f)]
    flags = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    flags += [option for folder in llhttp for option in ("-isystem", folder)]
    done = subprocess.run([*compiler, *flags, *folders, "-"], cwd=tree.root, text=True,
                          input=f'#include "{path}"\n', capture_output=True, check=False)
    if done.returncode != 0:
        return path, 1, f"not alone with {' '.join(compiler)}: {done.stderr.strip()[:400]}"
    return None


def headers_alone(tree):
    """Each header compiles alone, as C11 and C++20; a public one with the public path only."""
    work = [(path, compiler) for path in tree.code("core/", "cpp/", suffixes=(".h", ".hpp"))
            for compiler in COMPILERS if path.endswith(".h") or "-xc++" in compiler]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for violation in pool.map(lambda job: compile_alone(tree, *job), work):
            if violation:
                yield violation


def clang_format(tree):
    """Versions differ in details, so one decides: Debian 12's."""
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True,
                             check=True).stdout
    if "version 14." not in version:
        print(f"SKIPPED clang_format: the layout is version 14's, this is {version.strip()}")
        return
    paths = tree.code()
    work = [paths[i::8] for i in range(8) if paths[i::8]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(lambda some: subprocess.run(
                ["clang-format", "--dry-run", "-Werror", *some], cwd=tree.root, text=True,
                capture_output=True, check=False), work):
            places = re.findall(r"^(.*?):(\d+):\d+: error: ", done.stderr, re.M)
            for path, line in dict(reversed(places)).items():
                yield path, int(line), "not as clang-format lays it out, from here on"


# ---- what the objects need

COMMON = re.compile(r"mem(?:cpy|move|set|cmp|chr|mem)|str(?:len|nlen|cmp|ncmp|chr|rchr)"
                    r"|strn?casecmp|v?snprintf|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
                    r"|__errno_location|__cpu_model|__cpu_indicator_init|__cpu_features2")
ALLOWED = (
    ("core/wire/", r"llhttp_\w+|SHA1_(?:Init|Update|Final)|EVP_(?:En|De)code\w+"),
    ("core/wire/address", "inet_pton|inet_ntop"),
    # zlib, with memory of the caller's.
    ("core/wire/inflate", r"inflate\w*"),
    ("core/wire/deflate", r"deflate\w*"),
    # OpenSSL reads files by itself; all bytes of connections go through streams.
    ("core/io/tls", r"(?:SSL|TLS|BIO|ERR|PEM|X509|EVP|OPENSSL|CRYPTO|GENERAL_NAME|ASN1)_\w+"
                    r"|OPENSSL_\w+|d2i_\w+|i2d_\w+|pthread_mutex_\w+"),
    # Whose thread it is; and the server runs one for each loop.
    ("core/io/loop", "pthread_self|pthread_equal"),
    ("core/ws/server", r"pthread_\w+|sigfillset"),
    # The locks of what other threads count, or count in.
    ("core/ws/topic", r"pthread_mutex_\w+"),
    ("core/ws/guests", r"pthread_mutex_\w+"),
    ("core/ws/error", "strerrordesc_np"),
)


def nm(tree, made, which):
    done = subprocess.run(["nm", "--format=posix", which, made], cwd=tree.root, text=True,
                          capture_output=True, check=True)
    return {line.split()[0] for line in done.stdout.splitlines() if line.strip()}


def object_symbols(tree):
    """wire needs only wire, base and pure functions; io and ws reach the kernel through sys."""
    defined = {}
    for path, made in tree.objects(*LIBRARY):
        for symbol in nm(tree, made, "--defined-only"):
            defined[symbol] = path
    for path, made in tree.objects(*LIBRARY):
        if path.startswith("core/base/sys"):
            continue
        wire = path.startswith("core/wire/")
        for symbol in sorted(nm(tree, made, "--undefined-only")):
            home = defined.get(symbol)
            good = COMMON.fullmatch(symbol) or any(
                path.startswith(prefix) and re.fullmatch(symbols, symbol)
                for prefix, symbols in ALLOWED)
            if home:
                good = not wire or (home.startswith(("core/wire/", "core/base/"))
                                    and not home.startswith("core/base/sys"))
            if not good:
                yield path, 1, f"needs {symbol}, which {room_of(path)} may not call"


# The kernel that was picked for this CPU: written once, by whoever comes first.
MUTABLE = {"core/wire/mask.c": ("chosen",)}


def no_global_state(tree):
    """Nothing of the library's own is writable (relocated constants are not, once loaded)."""
    section = re.compile(r"^[0-9a-f]+ .{7} (\.t?(?:data|bss)\S*|\*COM\*)\s+[0-9a-f]+ "
                         r"(?:\.hidden )?(\S+)$", re.M)
    for path, made in tree.objects(*LIBRARY):
        done = subprocess.run(["objdump", "-t", made], cwd=tree.root, text=True,
                              capture_output=True, check=True)
        for name, symbol in section.findall(done.stdout):
            constant = name.startswith(".data.rel.ro") or symbol == name
            local = re.sub(r"\.\d+$", "", symbol)
            if not constant and local not in MUTABLE.get(path, ()):
                yield path, 1, f"{symbol} is global and mutable"


RULES = (include_directions, wire_is_pure, include_cycles, file_length, function_length,
         line_length, file_top, forbidden_words, thread_markers, cpp_documented, headers_alone,
         clang_format, object_symbols, no_global_state)
