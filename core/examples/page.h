/* page.html, as it is embedded in the examples: page_html up to page_html_end. */
#ifndef WEIR_EXAMPLES_PAGE_H
#define WEIR_EXAMPLES_PAGE_H

#ifdef __cplusplus
extern "C" {
#endif

extern const char page_html[];
extern const char page_html_end[];

#ifdef __cplusplus
}
#endif

#endif
