;! title    = "a stack that is too small: the runtime copies it to a larger one"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], size = [2048, 4096, 8192], frames = [8, 1, 2, 4, 16], pointers = { default = 1, min = 1, max = 3 }, grow = true, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id + 1"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals I, Splits"

; A function calls itself until the next frame would pass the bound of a stack of `size` bytes. Its prologue then asks
; for a larger stack, and the runtime copies what is used of this one to the end of one of twice the size: all but 928
; bytes, and but what a frame is larger than 128. It walks through the frames, `frames` of them, and moves in each the
; saved frame pointer and the pointers that lead into the old stack, of which each frame has `pointers`, by the bits of
; a table. With grow=false the stack is the large one from the start: what is more in the other row is the growth.
;
; Each frame holds a number, and pointers to the number of its caller. The deepest one adds 1 to it, and on the way back
; each hands its number on through the last of its pointers: one that still led into the old stack would lose it.
; Each iteration begins on the small stack again; the instructions for that are in both rows, but the last three.

{% set fit = size - 928 - 24 %}
{% set over = [fit // frames // 16 * 16 - 136, 0] | max %}
{% set bytes = (fit - over) // frames // 16 * 16 %}
{% set room = bytes - 16 %}
{% set over = [room + 8 - 128, 0] | max %}
{% set start = 928 + 8 + frames * bytes + over %}
{% set number = 8 * (pointers + 2) %}
{% set order = {2048: 0, 4096: 16, 8192: 32}[size] %}
setup:
        lea  rax, ["main.large"]        ; the cache has one stack of the larger size
        mov  ["runtime.stackcache" + {{ order + 16 }}], rax

body:                                   ; rax = *T
        mov  ecx, [rax]
        mov  ["main.number"], rcx
        mov  ["runtime.sched" + 32], rsp ; g0's
{% if abi == "register" %}
        mov  rdx, r14
{% else %}
        mov  rdx, gs:[-8]
{% endif %}
        lea  rcx, ["main.{{ "small" if grow else "large" }}"]
        mov  [rdx], rcx                 ; g.stack
        lea  rsi, [rcx + 928]
        mov  [rdx + 16], rsi            ; g.stackguard0
        add  rcx, {{ size if grow else 2 * size }}
        mov  [rdx + 8], rcx
        lea  rsp, [rcx - {{ size - start }}]
        lea  rax, ["main.number"]
{% if abi == "register" %}
        mov  ebx, {{ frames }}
{% else %}
        mov  [rsp], rax
        mov  qword [rsp + 8], {{ frames }}
{% endif %}
        call "main.deeper"
        mov  rsp, ["runtime.sched" + 32]
        mov  eax, ["main.number"]
{% if grow %}
        lea  rcx, ["main.large"]        ; free again
        mov  qword [rcx], 0
        mov  ["runtime.stackcache" + {{ order + 16 }}], rcx
        mov  qword ["runtime.stackcache" + {{ order }}], 0   ; and the small one in use
{% endif %}

func "main.deeper":                     ; where the caller's number is, and how many frames follow
start:
{% if abi == "stack" %}
        mov  rcx, gs:[-8]               ; g
{% endif %}
{% set bound = "[r14 + 16]" if abi == "register" else "[rcx + 16]" %}
{% if over > 0 %}
{% set deep = "r12" if abi == "register" else "rax" %}
        lea  {{ deep }}, [rsp - {{ over }}]
        cmp  {{ deep }}, {{ bound }}    ; g.stackguard0
{% else %}
        cmp  rsp, {{ bound }}           ; g.stackguard0
{% endif %}
        jbe  more
{% if go_minor <= 20 %}
        sub  rsp, {{ room + 8 }}
        mov  [rsp + {{ room }}], rbp
        lea  rbp, [rsp + {{ room }}]
{% else %}
        push rbp
        mov  rbp, rsp
        sub  rsp, {{ room }}
{% endif %}
{% if abi == "stack" %}
        mov  rax, [rsp + {{ room + 16 }}]
        mov  rbx, [rsp + {{ room + 24 }}]
{% endif %}
{% for pointer in range(pointers) %}
        mov  [rsp + {{ 16 + 8 * pointer }}], rax
{% endfor %}
        mov  ecx, [rax]
        mov  [rsp + {{ number }}], rcx
        test rbx, rbx
        je   deepest
        dec  rbx
        lea  rax, [rsp + {{ number }}]
{% if abi == "stack" %}
        mov  [rsp], rax
        mov  [rsp + 8], rbx
{% endif %}
        call "main.deeper"
returned: mov ecx, [rsp + {{ number }}]
        jmp  hand
deepest: inc ecx
hand:   mov  rax, [rsp + {{ 8 + 8 * pointers }}]
        mov  [rax], ecx
{% if go_minor <= 20 %}
        mov  rbp, [rsp + {{ room }}]
        add  rsp, {{ room + 8 }}
{% else %}
        add  rsp, {{ room }}
        pop  rbp
{% endif %}
        ret
{% if abi == "register" %}
more:   mov  [rsp + 8], rax             ; the caller keeps room for register arguments
        mov  [rsp + 16], rbx
site:   call "runtime.morestack_noctxt"
asked:  mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
{% else %}
more:
site:   call "runtime.morestack_noctxt"
asked:
{% endif %}
        jmp  start

func "runtime.morestack_noctxt":        ; from the goroutine's stack to g0's
        mov  rax, [rsp]
        mov  ["runtime.sched" + 8], rax ; where it goes on
        lea  rax, [rsp + 8]
        mov  ["runtime.sched"], rax
        mov  ["runtime.sched" + 16], rbp
{% if abi == "register" %}
        mov  ["runtime.sched" + 24], r14
        lea  r14, ["runtime.g0"]
{% else %}
        mov  rdx, gs:[-8]
        mov  ["runtime.sched" + 24], rdx
        lea  rdx, ["runtime.g0"]
        mov  gs:[-8], rdx
{% endif %}
        mov  rsp, ["runtime.sched" + 32]
        xor  ebp, ebp
        call "runtime.newstack"
        ud2

; Of each return address: bytes from the stack pointer to the frame's own return address, the bits of its locals and
; those of its arguments. The one that asks has no frame yet, and has put its arguments away.
data "runtime.frames":
        dq   asked, 0, 0, "main.arguments"
        dq   returned, {{ room + 8 }}, "main.locals", {{ 0 if abi == "register" else '"main.arguments"' }}
        dq   0, 0, 0, 0
data "main.locals":
        dd   {{ room // 8 }}, 0
        db   {{ [4, 12, 28][pointers - 1] }}
        times {{ room // 64 }} db 0
data "main.arguments":
        dd   2, 0
        db   1
data "main.number": dq 0
data "main.small": resb {{ size }}
data "main.large": resb {{ 2 * size }}
