#!/usr/bin/python3
"""Tests of tests/run.py: what it must notice, told by tiny scripts."""
import os
import subprocess
import sys
import tempfile

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")

# name: (path of the program, its text, arguments, lines expected, status)
CASES = {
    "counts_and_prints": (
        "s/a.sh", "echo group: g; echo ok one; echo skip two: no root",
        [], ["ok g one", "skip g two: no root",
             "1 passed, 0 failed, 1 skipped"], 0),
    "group_is_the_directory_by_default": (
        "place/a.sh", "echo ok one", [], ["ok place one"], 0),
    "shows_the_output_of_a_failure_only": (
        "s/a.sh", "echo quiet; echo ok one; echo loud; echo not ok two: bad",
        [], ["FAIL s two: bad", "    loud", "1 passed, 1 failed, 0 skipped"],
        1),
    "a_death_is_a_failure": (
        "s/a.sh", "echo ok one; kill -SEGV $$", [],
        ["FAIL s a.sh: killed by SIGSEGV", "1 passed, 1 failed, 0 skipped"],
        1),
    "a_status_that_no_test_explains_is_a_failure": (
        "s/a.sh", "echo ok one; exit 3", [],
        ["FAIL s a.sh: it ended with status 3"], 1),
    "no_test_is_a_failure": (
        "s/a.sh", "echo hello", [], ["FAIL s a.sh: no test ran"], 1),
    "fewer_than_planned_is_a_failure": (
        "s/a.sh", "echo 1..3; echo ok one", [],
        ["FAIL s a.sh: 1 of 3 tests ran"], 1),
    "a_program_that_hangs_is_killed": (
        "s/a.sh", "echo ok one; sleep 60", ["--timeout=1"],
        ["ok s one", "FAIL s a.sh: no end after 1 s, killed"], 1),
    "a_script_names_its_own_limit": (
        "s/a.sh", "# timeout: 1\necho ok one; sleep 60", [],
        ["FAIL s a.sh: no end after 1 s, killed"], 1),
    "children_left_behind_do_not_hold_it_up": (
        "s/a.sh", "sleep 60 & echo ok one", [],
        ["ok s one", "1 passed, 0 failed, 0 skipped"], 0),
    "a_skip_in_a_required_group_is_a_failure": (
        "s/a.sh", "echo group: pam; echo skip one: none", ["--require=pam"],
        ["FAIL pam one: skipped, but here it must run: none"], 1),
    "a_test_may_be_of_several_groups": (
        "s/a.sh", "echo group: root pam; echo skip one: none",
        ["--require=pam,root"], ["FAIL root pam one: skipped, but here it must run: none"], 1),
    "a_skip_in_another_group_is_none": (
        "s/a.sh", "echo group: x; echo skip one: none; echo group: pam; "
        "echo ok two", ["--require=pam"],
        ["skip x one: none", "1 passed, 0 failed, 1 skipped"], 0),
    "a_required_group_without_tests_is_a_failure": (
        "s/a.sh", "echo ok one", ["--require=root"],
        ["FAIL root -: no test of this group was found"], 1),
    "no_program_is_a_failure": (
        "s/a.sh", "echo ok one", ["--only=nowhere"],
        ["0 passed, 1 failed, 0 skipped"], 1),
    "cmocka_lines_are_understood": (
        "b/test/base/test_x", "echo 1..3; echo ok 1 - test_a; echo why; "
        "echo 'not ok 2 # SKIP test_b'; echo 'not ok 3 - test_c'; "
        "echo '# 1 != 2'; exit 1", [],
        ["ok base/x test_a", "skip base/x test_b: why",
         "FAIL base/x test_c: 1 != 2", "    # 1 != 2",
         "1 passed, 1 failed, 1 skipped"], 1),
    "a_message_that_cmocka_cut_hides_no_result": (
        "b/test/base/test_x",
        "echo 1..2; echo ERROR: a long mesnot ok 1 - test_a; echo '# x.c:3: error'; echo ok 2 - test_b; exit 1",
        [], ["FAIL base/x test_a: x.c:3: error", "    ERROR: a long mes",
             "ok base/x test_b", "1 passed, 1 failed, 0 skipped"], 1),
    "cmocka_death_is_a_failure": (
        "b/test/base/test_x", "echo 1..3; echo ok 1 - test_a; kill -ABRT $$",
        [], ["FAIL base/x test_x: killed by SIGABRT"], 1),
    "a_fuzzer_that_finds_nothing_is_ok": (
        "b/fuzz_y", "echo done", [], ["ok fuzz y"], 0),
    "a_fuzzer_that_finds_something_names_the_input": (
        "b/fuzz_y", "echo 'x; Test unit written to /d/crash-1'; exit 77", [],
        ["FAIL fuzz y: it ended with status 77 (the input: /d/crash-1)"], 1),
}


def run_case(folder, path, text, arguments):
    program = os.path.join(folder, path)
    os.makedirs(os.path.dirname(program))
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text + "\n")
    os.chmod(program, 0o755)
    return subprocess.run(
        [sys.executable, RUNNER, *arguments, program], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=30)


def main():
    failed = 0
    print("group: runner")
    for name, (path, text, arguments, expected, status) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            run = run_case(folder, path, text, arguments)
        lines = run.stdout.splitlines()
        missing = [line for line in expected if line not in lines]
        last_is_count = lines and lines[-1].endswith(" skipped")
        if missing or run.returncode != status or not last_is_count:
            failed += 1
            print("\n".join(f"  {line}" for line in lines))
            print(f"not ok {name}: status {run.returncode}, "
                  f"missing {missing}")
        else:
            print(f"ok {name}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
