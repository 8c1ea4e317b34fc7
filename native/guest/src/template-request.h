/* The file template_instance: a program asks for its machine to become a template, and goes on in the clones. */
#pragma once
#include "pseudo-tree.h"
#include "wire.h"

extern const struct pseudo_file template_request_file;

void template_request_tell(void);
void template_request_forget_told(void);
/* The writes fail, if it is still this request. */
void template_request_answer(uint64_t request, int error);
void template_request_become(enum becoming_kind kind);
