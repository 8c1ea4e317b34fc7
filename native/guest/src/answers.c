#include "answers.h"

#include <errno.h>
#include <stdlib.h>

#include "children.h"
#include "config-message.h"
#include "fields.h"
#include "forks.h"
#include "requests.h"
#include "template-request.h"

struct answer {
  uint32_t request, failure, status, code;
  uint64_t created_s;
  char *child, *snapshot;
};

static bool parse(const uint8_t *payload, size_t length, struct answer *answer);
static bool take(const struct field *field, struct answer *answer);
static bool take_id(const struct field *field, char **id);
static const char *apply(uint8_t type, const struct answer *answer);

const char *answer_message(uint8_t type, const uint8_t *payload, size_t length) {
  struct answer answer = {0};
  const char *reason = parse(payload, length, &answer) ? apply(type, &answer) : "malformed answer";
  free(answer.child);
  free(answer.snapshot);
  return reason;
}

static bool parse(const uint8_t *payload, size_t length, struct answer *answer) {
  struct field_reader reader = {payload, length};
  struct field field;
  int got;
  while ((got = field_next(&reader, &field)) == 1)
    if (!take(&field, answer)) return false;
  return got == 0;
}

static bool take(const struct field *field, struct answer *answer) {
  switch (field->key) {
    case KEY_REQUEST: return field_u32(field, &answer->request);
    case KEY_FAILURE: return field_u32(field, &answer->failure);
    case KEY_STATUS: return field_u32(field, &answer->status);
    case KEY_CODE: return field_u32(field, &answer->code);
    case KEY_CREATED_S: return field_u64(field, &answer->created_s);
    case KEY_CHILD: return take_id(field, &answer->child);
    case KEY_SNAPSHOT: return take_id(field, &answer->snapshot);
    default: return true;
  }
}

static bool take_id(const struct field *field, char **id) {
  free(*id);
  *id = field->length == INSTANCE_ID_LENGTH ? field_text(field) : NULL;
  return *id != NULL;
}

static const char *apply(uint8_t type, const struct answer *answer) {
  switch (type) {
    case TYPE_ANSWER_TEMPLATE:
      template_request_answer(answer->request, errno_of_failure(answer->failure));
      return NULL;
    case TYPE_ANSWER_FORK:
      if (!answer->failure && !(answer->child && answer->snapshot)) return "a fork's answer names its child";
      /* Its directory is there when the write returns. */
      if (!answer->failure) children_add(answer->child, answer->snapshot, answer->created_s);
      forks_answer(answer->request, answer->failure ? errno_of_failure(answer->failure) : 0, answer->child);
      return NULL;
    default:
      if (!answer->child || answer->status < CHILD_STARTING || answer->status > CHILD_TEMPLATE)
        return "a child's state names it";
      children_change(answer->child, (enum child_status)answer->status, answer->code);
      return NULL;
  }
}
