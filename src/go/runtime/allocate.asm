; Allocation as if the allocator's fast path were all of it: a cursor that goes through an arena and
; begins again at its end. No size classes, no zeroing, no collection; blocks begin at multiples of 8.
{% if abi == "register" %}
func "runtime.mallocgc":                ; rax = size, rbx = type, rcx = whether to zero
        test rax, rax
        je   empty
        mov  rdx, ["runtime.arena"]     ; where the last block ended
        lea  rcx, [rax + rdx + 7]
        and  rcx, {{ arena_bytes - 8 }}
        mov  ["runtime.arena"], rcx
        inc  qword ["runtime.allocations"]
        add  ["runtime.allocations" + 8], rax
        lea  rax, ["runtime.arena" + {{ arena_start }}]
        add  rax, rdx
        ret
empty:  lea  rax, ["runtime.zerobase"]
        ret
{% else %}
func "runtime.mallocgc":                ; [rsp + 8] = size, type, whether to zero; the block at 32
        mov  rax, [rsp + 8]
        test rax, rax
        je   empty
        mov  rdx, ["runtime.arena"]     ; where the last block ended
        lea  rcx, [rax + rdx + 7]
        and  rcx, {{ arena_bytes - 8 }}
        mov  ["runtime.arena"], rcx
        inc  qword ["runtime.allocations"]
        add  ["runtime.allocations" + 8], rax
        lea  rax, ["runtime.arena" + {{ arena_start }}]
        add  rax, rdx
        mov  [rsp + 32], rax
        ret
empty:  lea  rax, ["runtime.zerobase"]
        mov  [rsp + 32], rax
        ret
{% endif %}

; The write barrier's buffer: two words a store, what was there and what comes. Where Go would flush
; it to the collector, it begins again. Both forms keep all registers but the one that they answer in.
{% if go_minor <= 20 %}
func "runtime.gcWriteBarrier":          ; rdi = where, rax = what; also does the store
        push r12
        push r13
        mov  r12, ["runtime.wbBuf"]
        lea  r13, ["runtime.wbBuf" + 8]
        mov  [r13 + r12], rax
        push rax
        mov  rax, [rdi]
        mov  [r13 + r12 + 8], rax
        pop  rax
        add  r12, 16
        and  r12, {{ barrier_bytes - 1 }}
        mov  ["runtime.wbBuf"], r12
        pop  r13
        pop  r12
        mov  [rdi], rax
        ret
{% for register in ["rcx", "rdx", "rbx", "rsi", "r8", "r9"] %}
func "runtime.gcWriteBarrier{{ register[1:] | upper if register[1:] not in ["8", "9"] else register | upper }}":           ; the same for what stands in another register
        xchg {{ register }}, rax
        call "runtime.gcWriteBarrier"
        xchg {{ register }}, rax
        ret
{% endfor %}
{% else %}
{% for words in range(1, 9) %}
func "runtime.gcWriteBarrier{{ words }}":         ; answers in r11 where its words go
        push r12
        mov  r11, ["runtime.wbBuf"]
        lea  r12, [r11 + {{ 8 * words }}]
        and  r12, {{ barrier_bytes - 1 }}
        mov  ["runtime.wbBuf"], r12
        lea  r12, ["runtime.wbBuf" + 8]
        add  r11, r12
        pop  r12
        ret
{% endfor %}
{% endif %}

{% if abi == "register" %}
func "runtime.memmove":                 ; rax = to, rbx = from, rcx = bytes
        mov  rdi, rax
        mov  rsi, rbx
        mov  rbx, rcx
{% else %}
func "runtime.memmove":                 ; [rsp + 8] = to, from, bytes
        mov  rdi, [rsp + 8]
        mov  rsi, [rsp + 16]
        mov  rbx, [rsp + 24]
{% endif %}
        test rbx, rbx
        je   done
        cmp  rbx, 4
        jb   bytes
        cmp  rbx, 8
        jb   four
        cmp  rbx, 16
        jbe  eight
        cmp  rbx, 32
        jbe  sixteen
more:   movdqu xmm0, [rsi]              ; Go has cases up to 256 bytes here, then `rep movs`
        movdqu [rdi], xmm0
        add  rsi, 16
        add  rdi, 16
        sub  rbx, 16
        cmp  rbx, 32
        ja   more
sixteen: movdqu xmm0, [rsi]
        movdqu xmm1, [rsi + rbx - 16]
        movdqu [rdi], xmm0
        movdqu [rdi + rbx - 16], xmm1
        ret
eight:  mov  rax, [rsi]
        mov  rcx, [rsi + rbx - 8]
        mov  [rdi], rax
        mov  [rdi + rbx - 8], rcx
        ret
four:   mov  eax, [rsi]
        mov  ecx, [rsi + rbx - 4]
        mov  [rdi], eax
        mov  [rdi + rbx - 4], ecx
        ret
bytes:  movzx eax, byte [rsi]           ; one to three: first, last and middle
        movzx ecx, byte [rsi + rbx - 1]
        mov  [rdi + rbx - 1], cl
        shr  rbx, 1
        movzx ecx, byte [rsi + rbx]
        mov  [rdi + rbx], cl
        mov  [rdi], al
done:   ret

{% if abi == "register" %}
func "runtime.typedmemmove":            ; rax = type, rbx = to, rcx = from
        push rbp
        mov  rbp, rsp
        sub  rsp, 32
        cmp  rbx, rcx
        je   same
        mov  rdx, [rax]                 ; type.size
        mov  rax, rbx
        mov  rbx, rcx
        mov  rcx, rdx
        call "runtime.memmove"
same:   add  rsp, 32
        pop  rbp
        ret
{% else %}
func "runtime.typedmemmove":            ; [rsp + 8] = type, to, from
        sub  rsp, 40
        mov  [rsp + 32], rbp
        lea  rbp, [rsp + 32]
        mov  rax, [rsp + 56]
        mov  rcx, [rsp + 64]
        cmp  rax, rcx
        je   same
        mov  [rsp], rax
        mov  [rsp + 8], rcx
        mov  rax, [rsp + 48]
        mov  rax, [rax]                 ; type.size
        mov  [rsp + 16], rax
        call "runtime.memmove"
same:   mov  rbp, [rsp + 32]
        add  rsp, 40
        ret
{% endif %}

