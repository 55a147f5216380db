/* SPDX-License-Identifier: Apache-2.0 */
/* Empty: cffi knows these types by name. */
