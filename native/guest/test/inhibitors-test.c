#include <errno.h>
#include <string.h>

#include "check.h"
#include "inhibitors.h"

static int apply(const char *text) { return inhibitors_apply(text, strlen(text)); }

static void every_form_counts(void) {
  CHECK(inhibitors_count() == 0);
  CHECK(apply("+") == 0 && apply("+\n") == 0 && inhibitors_count() == 2);
  CHECK(apply("-") == 0 && inhibitors_count() == 1);
  CHECK(apply("+41") == 0 && inhibitors_count() == 42);
  CHECK(apply("-2\n") == 0 && inhibitors_count() == 40);
  CHECK(apply("=007") == 0 && inhibitors_count() == 7);
  CHECK(apply("-7") == 0 && inhibitors_count() == 0);
}

static void what_is_no_such_text_changes_nothing(void) {
  static const char *const bad[] = {"", "\n", "7", "=", "=\n", "*", "++", "+-1", "= 7", "+1 ", "+0x1", "=-1", "+1\n\n"};
  CHECK(apply("=5") == 0);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(apply(bad[i]) == EINVAL);
  CHECK(inhibitors_apply("+\0", 2) == EINVAL);
  char zeros[100];
  memset(zeros, '0', sizeof zeros);
  zeros[0] = '=';
  CHECK(inhibitors_apply(zeros, sizeof zeros) == EINVAL);
  CHECK(inhibitors_count() == 5);
}

static void the_range_is_that_of_64_bits(void) {
  CHECK(apply("=0") == 0 && apply("-") == ERANGE && apply("-1") == ERANGE && inhibitors_count() == 0);
  CHECK(apply("=18446744073709551615") == 0 && inhibitors_count() == UINT64_MAX);
  CHECK(apply("+") == ERANGE && apply("+18446744073709551615") == ERANGE && inhibitors_count() == UINT64_MAX);
  CHECK(apply("=18446744073709551616") == ERANGE && apply("=99999999999999999999999") == ERANGE);
  CHECK(apply("-18446744073709551615") == 0 && inhibitors_count() == 0);
}

int main(void) {
  every_form_counts();
  what_is_no_such_text_changes_nothing();
  the_range_is_that_of_64_bits();
}
