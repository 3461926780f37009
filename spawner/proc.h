/*
 * Processes as /proc tells them: identities that survive the reuse of a pid,
 * and trees of processes where no cgroup holds them.
 */
#ifndef CARREL_SPAWNER_PROC_H
#define CARREL_SPAWNER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_BOOT_ID_LEN 36

/* Field 22 of /proc/PID/stat; 0 when there is no such process (any more). */
uint64_t proc_start_time(pid_t pid);
/* Is the process that had this start time still there (and no zombie)? */
bool proc_is_alive(pid_t pid, uint64_t start_time);
/* The kernel's name for this run of the machine; "" when it is not told. */
void proc_boot_id(char out[PROC_BOOT_ID_LEN + 1]);
/*
 * Kill a process and all below it. It is stopped first, so that it neither
 * forks nor acts on the end of its children. pidfd is its own.
 */
void proc_kill_tree(pid_t pid, int pidfd);
/* Signal every descendant of `root` but not root itself; how many there were
 * (zombies are not counted). */
size_t proc_signal_descendants(pid_t root, int signo);

#endif
