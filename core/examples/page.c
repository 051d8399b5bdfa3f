/* Embeds page.html in the binary; the path is relative to the directory that make runs in. */
#include "examples/page.h"

__asm__(".section .rodata\n"
        ".global page_html\n"
        "page_html: .incbin \"core/examples/page.html\"\n"
        ".global page_html_end\n"
        "page_html_end:\n"
        ".text\n");
