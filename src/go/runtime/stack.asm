; A stack that has become too small: one of twice the size is taken out of the cache of its size, the used part is copied
; to its end, and every pointer in it that led into the old one is moved. What stands in a frame Go finds in tables of
; the linker; here the template has one, `runtime.frames`: return address, bytes from the stack pointer there to the frame's
; own return address, the bits of its locals and those of its arguments. The template's `runtime.morestack_noctxt` has put what
; Go keeps in g.sched into `runtime.sched`: stack pointer, code, frame pointer; behind it g, and g0's stack pointer.
data "runtime.sched": dq 0, 0, 0, 0, 0
data "runtime.g0": dq 0, 0, 0, 0, 0, 0, 0, 0    ; whose stack has no bound here
data "runtime.stackcache": dq 0, 0, 0, 0, 0, 0, 0, 0   ; first free stack and bytes, for 2 KiB, 4, 8 and 16

{%- macro order_of(bytes) %}
        xor  ecx, ecx
        mov  edx, {{ bytes }}
        jmp  sized
halve:  inc  ecx
        shr  edx, 1
sized:  cmp  edx, 2048
        ja   halve
        lea  rdx, ["runtime.stackcache"]
        shl  rcx, 4
        add  rdx, rcx
{%- endmacro %}
func "runtime.stackalloc":              ; {{ "eax = bytes; the stack in rax, rbx" if abi == "register" else "[rsp + 8] = bytes; the stack at 16" }}
{{- enter(24) }}
{% if abi == "stack" %}
        mov  eax, [rsp + 40]
{% endif %}
        lea  esi, [rax - 1]
        test eax, esi
        jne  wrong                      ; no power of two
        cmp  eax, 32768
        jae  wrong                      ; Go takes pages of the heap for those
        mov  esi, eax
{{- order_of("eax") }}
        mov  rax, [rdx]
        test rax, rax
        je   wrong                      ; Go fills the cache again
        mov  rcx, [rax]
        mov  [rdx], rcx
        sub  [rdx + 8], rsi
        lea  rbx, [rax + rsi]
{% if abi == "stack" %}
        mov  [rsp + 48], rax
        mov  [rsp + 56], rbx
{% endif %}
{{- leave(24) }}
wrong:  ud2
{{- grow() }}

func "runtime.stackfree":               ; {{ "rax, rbx" if abi == "register" else "[rsp + 8]" }} = the stack
{{- enter(24) }}
{% if abi == "stack" %}
        mov  rax, [rsp + 40]
        mov  rbx, [rsp + 48]
{% endif %}
        sub  rbx, rax
{{- order_of("ebx") }}
        mov  rcx, [rdx]
        mov  [rax], rcx
        mov  [rdx], rax
        add  [rdx + 8], rbx
{{- leave(24) }}
{{- grow() }}

func "runtime.adjustpointers":          ; {{ "rax, rbx, rcx" if abi == "register" else "[rsp + 8]" }} = where, bits, the old stack and the distance
{% if abi == "stack" %}
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
        mov  rcx, [rsp + 24]
{% endif %}
        mov  r8, [rcx]                  ; the old stack's beginning, its end, and how far it has moved
        mov  r9, [rcx + 8]
        mov  r10, [rcx + 16]
        mov  esi, [rbx]                 ; how many bits
        add  rbx, 8
        xor  edi, edi
        jmp  check
words:  movzx edx, byte [rbx]
        inc  rbx
        jmp  bits
bit:    mov  ecx, edx
        bts  ecx, 8
        bsf  ecx, ecx
        lea  r11d, [rdx - 1]
        and  edx, r11d
        lea  rcx, [rcx + rdi]
        mov  r11, [rax + rcx*8]
        cmp  r11, r8
        jb   bits
        cmp  r11, r9
        jae  bits
        add  r11, r10
        mov  [rax + rcx*8], r11
bits:   test edx, edx
        jne  bit
        add  edi, 8
check:  cmp  edi, esi
        jb   words
        ret

func "runtime.adjustframe":             ; {{ "rax, rbx" if abi == "register" else "[rsp + 8]" }} = frame: stack pointer and row of the table; the old stack and the distance
{{- enter(56) }}
{% if abi == "stack" %}
        mov  rax, [rsp + 72]
        mov  rbx, [rsp + 80]
{% endif %}
        mov  [rsp + 24], rbx
        mov  rsi, [rax]
        mov  rdi, [rax + 8]
        mov  rcx, [rdi + 8]             ; bytes of the frame
        add  rcx, rsi
        mov  [rsp + 32], rcx            ; its return address
        mov  [rsp + 40], rdi
        mov  rdx, [rdi + 16]            ; bits of its locals
        test rdx, rdx
        je   arguments
        sub  rcx, 8                     ; the saved frame pointer
        mov  r11, [rcx]
        cmp  r11, [rbx]
        jb   kept
        cmp  r11, [rbx + 8]
        jae  kept
        add  r11, [rbx + 16]
        mov  [rcx], r11
kept:   mov  eax, [rdx]
        shl  rax, 3
        sub  rcx, rax
{% if abi == "register" %}
        mov  rax, rcx
        mov  rcx, rbx
        mov  rbx, rdx
{% else %}
        mov  [rsp], rcx
        mov  [rsp + 8], rdx
        mov  [rsp + 16], rbx
{% endif %}
        call "runtime.adjustpointers"
arguments: mov rdx, [rsp + 40]
        mov  rdx, [rdx + 24]            ; bits of its arguments
        test rdx, rdx
        je   adjusted
        mov  rcx, [rsp + 32]
        add  rcx, 8
{% if abi == "register" %}
        mov  rax, rcx
        mov  rcx, [rsp + 24]
        mov  rbx, rdx
{% else %}
        mov  [rsp], rcx
        mov  [rsp + 8], rdx
        mov  rcx, [rsp + 24]
        mov  [rsp + 16], rcx
{% endif %}
        call "runtime.adjustpointers"
adjusted:
{{- leave(56) }}
{{- grow() }}

; Slots of the frame: 32 g; 40, 48, 56 the old stack and the distance; 64 bytes used; 72, 80 the new stack; 88, 96 the frame
; that is looked at.
func "runtime.copystack":               ; {{ "rax, rbx" if abi == "register" else "[rsp + 8]" }} = g, bytes of the new stack
{{- enter(104) }}
{% if abi == "stack" %}
        mov  rax, [rsp + 120]
        mov  rbx, [rsp + 128]
{% endif %}
        mov  [rsp + 32], rax
        mov  rcx, [rax]                 ; g.stack
        mov  [rsp + 40], rcx
        mov  rdx, [rax + 8]
        mov  [rsp + 48], rdx
        sub  rdx, ["runtime.sched"]
        mov  [rsp + 64], rdx
{% if abi == "register" %}
        mov  eax, ebx
        call "runtime.stackalloc"
{% else %}
        mov  [rsp], ebx
        call "runtime.stackalloc"
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
{% endif %}
        mov  [rsp + 72], rax
        mov  [rsp + 80], rbx
        mov  rcx, rbx
        sub  rcx, [rsp + 48]
        mov  [rsp + 56], rcx
        mov  rcx, [rsp + 64]
        mov  rax, [rsp + 80]
        sub  rax, rcx
        mov  rbx, [rsp + 48]
        sub  rbx, rcx
{% if abi == "stack" %}
        mov  [rsp], rax
        mov  [rsp + 8], rbx
        mov  [rsp + 16], rcx
{% endif %}
        call "runtime.memmove"
        mov  rcx, [rsp + 56]
        mov  rdx, ["runtime.sched" + 16] ; the frame pointer, as adjustctxt does
        cmp  rdx, [rsp + 40]
        jb   outside
        cmp  rdx, [rsp + 48]
        jae  outside
        add  ["runtime.sched" + 16], rcx
outside: mov rax, [rsp + 32]
        mov  rdx, [rsp + 72]
        mov  [rax], rdx                 ; g.stack
        mov  rbx, [rsp + 80]
        mov  [rax + 8], rbx
        add  rdx, {{ stack_guard }}
        mov  [rax + 16], rdx            ; g.stackguard0
        sub  rbx, [rsp + 64]
        mov  ["runtime.sched"], rbx
        mov  [rsp + 88], rbx
        mov  rdx, ["runtime.sched" + 8]
frame:  lea  rcx, ["runtime.frames"]
seek:   cmp  [rcx], rdx
        je   known
        cmp  qword [rcx], 0
        je   end                        ; whoever called the first of them
        add  rcx, 32
        jmp  seek
known:  mov  [rsp + 96], rcx
{% if abi == "register" %}
        lea  rax, [rsp + 88]
        lea  rbx, [rsp + 40]
{% else %}
        lea  rax, [rsp + 88]
        mov  [rsp], rax
        lea  rax, [rsp + 40]
        mov  [rsp + 8], rax
{% endif %}
        call "runtime.adjustframe"
        mov  rcx, [rsp + 96]
        mov  rbx, [rcx + 8]
        add  rbx, [rsp + 88]
        mov  rdx, [rbx]                 ; the return address, and behind it the caller's frame
        add  rbx, 8
        mov  [rsp + 88], rbx
        jmp  frame
end:
{% if abi == "register" %}
        mov  rax, [rsp + 40]
        mov  rbx, [rsp + 48]
{% else %}
        mov  rax, [rsp + 40]
        mov  [rsp], rax
        mov  rax, [rsp + 48]
        mov  [rsp + 8], rax
{% endif %}
        call "runtime.stackfree"
{{- leave(104) }}
{{- grow() }}

func "runtime.newstack":                ; does not return: it goes on where the stack was too small
{{- enter(40) }}
        mov  rax, ["runtime.sched" + 24] ; g
        mov  rbx, [rax + 8]
        sub  rbx, [rax]
        add  rbx, rbx
{% if abi == "stack" %}
        mov  [rsp], rax
        mov  [rsp + 8], rbx
{% endif %}
        call "runtime.copystack"
        lea  rbx, ["runtime.sched"]     ; as gogo does
        mov  rdx, [rbx + 24]
{% if abi == "register" %}
        mov  r14, rdx
{% else %}
        mov  gs:[-8], rdx
{% endif %}
        mov  rsp, [rbx]
        mov  rbp, [rbx + 16]
        mov  qword [rbx], 0
        mov  qword [rbx + 16], 0
        mov  rbx, [rbx + 8]
        jmp  rbx
{{- grow() }}
