# SPDX-License-Identifier: Apache-2.0
# cmake -DFROM=page.html -DTO=page.c -P embed.cmake: the file as a constant of C.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "/* Made from report.html. */\nextern const char page_template[];\n\nconst char page_template[] = {\n${bytes}0x00};\n")
