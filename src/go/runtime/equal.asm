
; Comparison of memory, and of interface values by the function that their type has for it. Go's
; compares up to 64 bytes at a time.
func "runtime.memeqbody":               ; rsi = one, rdi = other, rcx = bytes; eax = whether they are equal
        cmp  rsi, rdi
        je   same
next:   cmp  rcx, 8
        jb   rest
        mov  rax, [rsi]
        cmp  rax, [rdi]
        jne  differ
        add  rsi, 8
        add  rdi, 8
        sub  rcx, 8
        jmp  next
rest:   test rcx, rcx
        je   same
        movzx eax, byte [rsi]
        cmp  al, [rdi]
        jne  differ
        inc  rsi
        inc  rdi
        dec  rcx
        jmp  rest
same:   mov  eax, 1
        ret
differ: xor  eax, eax
        ret

{% macro both() %}
{%- if abi == "register" %}
        mov  rsi, rax
        mov  rdi, rbx
{%- else %}
        mov  rsi, [rsp + 8]
        mov  rdi, [rsp + 16]
{%- endif %}
{%- endmacro %}
{% macro answer(at) %}
{%- if abi == "register" %}
        jmp  "runtime.memeqbody"
{%- else %}
        call "runtime.memeqbody"
        mov  [rsp + {{ at }}], al
        ret
{%- endif %}
{%- endmacro %}
func "runtime.memequal":                ; one, other, bytes
{{- both() }}
{% if abi == "stack" %}
        mov  rcx, [rsp + 24]
{% endif %}
{{- answer(32) }}
{% for bytes in [1, 2, 4, 8, 16] %}
func "runtime.memequal{{ 8 * bytes }}":
{{- both() }}
        mov  ecx, {{ bytes }}
{{- answer(24) }}
{% endfor %}
func "runtime.memequal_varlen":         ; rdx = the closure, with the bytes
{{- both() }}
        mov  rcx, [rdx + 8]
{{- answer(24) }}
func "runtime.strequal":                ; two pointers to strings
{{- both() }}
        mov  rcx, [rsi + 8]
        cmp  rcx, [rdi + 8]
        jne  differ
        mov  rsi, [rsi]
        mov  rdi, [rdi]
{{- answer(24) }}
differ:
{% if abi == "register" %}
        xor  eax, eax
{% else %}
        mov  byte [rsp + 24], 0
{% endif %}
        ret

; Type, and two words of data. A type that the language declares has no function here, and is compared as
; what it is; another without one cannot be compared.
{% set direct = "[rax + 20]" if go_minor >= 26 else "[rax + 23]" %}
func "runtime.efaceeq":
{{- enter(32) }}
{% if abi == "stack" %}
        mov  rax, [rsp + 48]
        mov  rbx, [rsp + 56]
        mov  rcx, [rsp + 64]
{% endif %}
        test rax, rax
        je   same
        mov  rdx, [rax + 24]            ; type.equal
{% if go_minor <= 13 %}
        test rdx, rdx
        je   plain
        mov  rdx, [rdx + 8]             ; type.alg.equal
{% endif %}
        test rdx, rdx
        je   plain
        test byte {{ direct }}, 32
        jne  word
{% if abi == "register" %}
        mov  rax, rbx
        mov  rbx, rcx
        call [rdx]
{% else %}
        mov  [rsp], rbx
        mov  [rsp + 8], rcx
        call [rdx]
        movzx eax, byte [rsp + 16]
{% endif %}
        jmp  done
plain:  movzx edx, byte [rax + 23]      ; type.kind
        and  edx, 31
        cmp  edx, 24
        je   string
        cmp  edx, 13
        je   single
        cmp  edx, 14
        je   double
        mov  rsi, rbx
        mov  rdi, rcx
        mov  rcx, [rax]                 ; type.size
        cmp  edx, 12
        jbe  bytes
        mov  rbx, rsi
        mov  rcx, rdi
        cmp  edx, 18                    ; a channel
        je   word
        cmp  edx, 22                    ; a pointer
        je   word
        cmp  edx, 26                    ; unsafe.Pointer
        je   word
        call "runtime.gopanic"
string: mov  rdx, [rbx + 8]
        cmp  rdx, [rcx + 8]
        jne  differ
        mov  rsi, [rbx]
        mov  rdi, [rcx]
        mov  rcx, rdx
bytes:  call "runtime.memeqbody"
        jmp  done
single: movss xmm0, [rbx]
        ucomiss xmm0, [rcx]
        jmp  number
double: movsd xmm0, [rbx]
        ucomisd xmm0, [rcx]
number: jp   differ
        jne  differ
        jmp  same
word:   cmp  rbx, rcx
        jne  differ
same:   mov  eax, 1
        jmp  done
differ: xor  eax, eax
done:
{% if abi == "stack" %}
        mov  [rsp + 72], al
{% endif %}
{{- leave(32) }}
{{- grow() }}
{% for name, first in [("interequal", "ifaceeq"), ("nilinterequal", "efaceeq")] %}
func "runtime.{{ name }}":              ; two pointers to interface values
{{- enter(32) }}
{% if abi == "stack" %}
        mov  rax, [rsp + 48]
        mov  rbx, [rsp + 56]
{% endif %}
        mov  rdx, [rax]                 ; itab or type
        cmp  rdx, [rbx]
        jne  differ
        mov  rcx, [rbx + 8]
        mov  rbx, [rax + 8]
{% if abi == "register" %}
        mov  rax, rdx
        call "runtime.{{ first }}"
{% else %}
        mov  [rsp], rdx
        mov  [rsp + 8], rbx
        mov  [rsp + 16], rcx
        call "runtime.{{ first }}"
        movzx eax, byte [rsp + 24]
{% endif %}
        jmp  done
differ: xor  eax, eax
done:
{% if abi == "stack" %}
        mov  [rsp + 64], al
{% endif %}
{{- leave(32) }}
{{- grow() }}
{% endfor %}
{% for name, load, compare, numbers, bytes in [
    ("f32equal", "movss", "ucomiss", 1, 4), ("f64equal", "movsd", "ucomisd", 1, 8),
    ("c64equal", "movss", "ucomiss", 2, 4), ("c128equal", "movsd", "ucomisd", 2, 8)] %}
func "runtime.{{ name }}":              ; two pointers to numbers
{{- both() }}
        xor  eax, eax
{%- for number in range(numbers) %}
        {{ load }} xmm0, [rsi + {{ bytes * number }}]
        {{ compare }} xmm0, [rdi + {{ bytes * number }}]
        jp   differ
        jne  differ
{%- endfor %}
        inc  eax
differ:
{%- if abi == "stack" %}
        mov  [rsp + 24], al
{%- endif %}
        ret
{% endfor %}
func "runtime.ifaceeq":                 ; the itab instead of the type
{{- enter(32) }}
{% if abi == "register" %}
        test rax, rax
        je   equal
        mov  rax, [rax + 8]             ; itab._type
equal:  call "runtime.efaceeq"
{% else %}
        mov  rax, [rsp + 48]
        test rax, rax
        je   equal
        mov  rax, [rax + 8]             ; itab._type
equal:  mov  rbx, [rsp + 56]
        mov  rcx, [rsp + 64]
        mov  [rsp], rax
        mov  [rsp + 8], rbx
        mov  [rsp + 16], rcx
        call "runtime.efaceeq"
        mov  al, [rsp + 24]
        mov  [rsp + 72], al
{% endif %}
{{- leave(32) }}
{{- grow() }}

; Where nothing was deferred at run time, nothing is left to run: a call that the compiler has put at each end
; of its function does not come here.
func "runtime.deferreturn":
        ret
