; Conversions to interfaces: a pointer to a copy of the value, which is in a table, is the zero value
; that all types share, or is allocated.
{% for bits in [16, 32, 64] %}
data "runtime.uint{{ bits }}Type": dq "type.uint{{ bits }}"
{% endfor %}
data "runtime.stringType": dq "type.string"
data "runtime.sliceType": dq "type.[]uint8"
{% if abi == "register" %}
{% for bits, name, argument, index in [(16, "ax", "movzx ecx, ax", "rcx"), (32, "eax", "mov  ecx, eax", "rcx"), (64, "rax", "", "rax")] %}
func "runtime.convT{{ bits }}":         ; {{ name }} = value
{{- enter(24) }}
        cmp  {{ name }}, 256
        jae  big
        {{ argument }}
        lea  rdx, ["runtime.staticuint64s"]
{% if go_minor <= 20 %}
        lea  rcx, [rdx + {{ index }} * 8]
        jmp  done
{% else %}
        lea  rax, [rdx + {{ index }} * 8]
        jmp  done
{% endif %}
big:    mov  [rsp + 40], {{ name }}
        mov  rbx, ["runtime.uint{{ bits }}Type"]
        mov  eax, {{ bits // 8 }}
        xor  ecx, ecx
        call "runtime.mallocgc"
{% if bits == 16 %}
        movzx edx, word [rsp + 40]
        mov  [rax], dx
{% elif bits == 32 %}
        mov  edx, [rsp + 40]
        mov  [rax], edx
{% else %}
        mov  rdx, [rsp + 40]
        mov  [rax], rdx
{% endif %}
{% if go_minor <= 20 %}
        mov  rcx, rax
done:   mov  rax, rcx
{% else %}
done:
{% endif %}
{{- leave(24) }}
{{- grow() }}
{% endfor %}

{% for name, type, words in [("string", "string", 2), ("slice", "slice", 3)] %}
func "runtime.convT{{ name }}":         ; rax = pointer, rbx = length, rcx = capacity of a slice
{{- enter(24) }}
        mov  [rsp + 40], rax
        mov  [rsp + 48], rbx
{% if words == 3 %}
        mov  [rsp + 56], rcx
        test rax, rax                   ; a nil slice
{% else %}
        test rbx, rbx                   ; an empty string
{% endif %}
        je   zero
        mov  rbx, ["runtime.{{ type }}Type"]
        mov  eax, {{ 8 * words }}
        mov  ecx, 1
        call "runtime.mallocgc"
        mov  rdx, [rsp + 48]
        mov  [rax + 8], rdx
{% if words == 3 %}
        mov  rdx, [rsp + 56]
        mov  [rax + 16], rdx
{% endif %}
        mov  rdx, [rsp + 40]
        cmp  dword ["runtime.writeBarrier"], 0
        jne  barrier
store:  mov  [rax], rdx
{{- leave(24) }}
zero:   lea  rax, ["runtime.zeroVal"]
{{- leave(24) }}
{% if go_minor <= 20 %}
barrier: mov  rcx, rax
        mov  rdi, rax
        mov  rax, rdx
        call "runtime.gcWriteBarrier"
        mov  rax, rcx
{% else %}
barrier: call "runtime.gcWriteBarrier2"
        mov  [r11], rdx
        mov  rcx, [rax]
        mov  [r11 + 8], rcx
{% endif %}
        jmp  store
{{- grow() }}
{% endfor %}

func "runtime.convT":                   ; rax = type, rbx = pointer to the value
{{- enter(32) }}
        mov  [rsp + 48], rax
        mov  [rsp + 56], rbx
        mov  rdx, [rax]                 ; type.size
        mov  rbx, rax
        mov  ecx, 1
        mov  rax, rdx
        call "runtime.mallocgc"
        mov  [rsp + 24], rax
        mov  rbx, rax
        mov  rcx, [rsp + 56]
        mov  rax, [rsp + 48]
        call "runtime.typedmemmove"
        mov  rax, [rsp + 24]
{{- leave(32) }}
{{- grow() }}

func "runtime.convTnoptr":              ; rax = type without pointers, rbx = pointer to the value
{{- enter(32) }}
        mov  [rsp + 48], rax
        mov  [rsp + 56], rbx
        mov  rdx, [rax]                 ; type.size
        mov  rbx, rax
        xor  ecx, ecx
        mov  rax, rdx
        call "runtime.mallocgc"
        mov  [rsp + 24], rax
        mov  rdx, [rsp + 48]
        mov  rcx, [rdx]
        mov  rbx, [rsp + 56]
        call "runtime.memmove"
        mov  rax, [rsp + 24]
{{- leave(32) }}
{{- grow() }}
{% else %}
; Up to Go 1.10 the caller passes type or itab and a pointer, and gets the whole interface value; Go 1.11 passes
; scalars themselves, but still the address of a string or slice; since 1.12 strings and slices are passed themselves,
; too, and only the pointer comes back.
{% if go_minor >= 12 %}
{% for bits, name, load in [(16, "ax", "movzx eax, word"), (32, "eax", "mov  eax,"), (64, "rax", "mov  rax,")] %}
func "runtime.convT{{ bits }}":         ; [rsp + 8] = value; the pointer at 16
{{- enter(32) }}
        {{ load }} [rsp + 48]
{% if go_minor >= 15 %}
        cmp  {{ "eax" if bits == 16 else name }}, 256
        jae  big
        lea  rcx, ["runtime.staticuint64s"]
        lea  rax, [rcx + rax * 8]
done:   mov  [rsp + 56], rax
{{- leave(32) }}
big:
{% else %}
        test {{ name }}, {{ name }}
        je   zero
{% endif %}
        mov  qword [rsp], {{ bits // 8 }}
        mov  rax, ["runtime.uint{{ bits }}Type"]
        mov  [rsp + 8], rax
        mov  byte [rsp + 16], 0
        call "runtime.mallocgc"
        mov  rax, [rsp + 24]
        mov  {{ "rcx" if bits == 64 else "ecx" }}, [rsp + 48]
        mov  [rax], {{ {16: "cx", 32: "ecx", 64: "rcx"}[bits] }}
{% if go_minor >= 15 %}
        jmp  done
{% else %}
done:   mov  [rsp + 56], rax
{{- leave(32) }}
zero:   lea  rax, ["runtime.zeroVal"]
        jmp  done
{% endif %}
{{- grow() }}
{% endfor %}

{% for name, words in [("string", 2), ("slice", 3)] %}
func "runtime.convT{{ name }}":         ; [rsp + 8] = pointer, length{{ ", capacity" if words == 3 }}; the pointer behind them
{{- enter(32) }}
        mov  rax, [rsp + {{ 48 if words == 3 else 56 }}]
        test rax, rax                   ; {{ "a nil slice" if words == 3 else "an empty string" }}
        je   zero
        mov  qword [rsp], {{ 8 * words }}
        mov  rax, ["runtime.{{ name }}Type"]
        mov  [rsp + 8], rax
        mov  byte [rsp + 16], 1
        call "runtime.mallocgc"
        mov  rax, [rsp + 24]
{% for word in range(1, words) %}
        mov  rcx, [rsp + {{ 48 + 8 * word }}]
        mov  [rax + {{ 8 * word }}], rcx
{% endfor %}
        mov  rcx, [rsp + 48]
        cmp  dword ["runtime.writeBarrier"], 0
        jne  barrier
        mov  [rax], rcx
done:   mov  [rsp + {{ 48 + 8 * words }}], rax
{{- leave(32) }}
zero:   lea  rax, ["runtime.zeroVal"]
        jmp  done
barrier: mov rdi, rax
        mov  rdx, rax
        mov  rax, rcx
        call "runtime.gcWriteBarrier"
        mov  rax, rdx
        jmp  done
{{- grow() }}
{% endfor %}
{% endif %}

; For type or itab and a pointer the frame is 40 bytes, so that the arguments stand from 56 and the
; results from 72.
{% for kind in ["E", "I"] %}
{% if go_minor <= 11 %}
{% for name, size, test in [
    ("16", 2, "cmp  word [rax], 0"), ("32", 4, "cmp  dword [rax], 0"), ("64", 8, "cmp  qword [rax], 0"),
    ("string", 16, "cmp  qword [rax + 8], 0"), ("slice", 24, "cmp  qword [rax], 0")] %}
{% set by_value = go_minor == 11 and size <= 8 %}
func "runtime.convT2{{ kind }}{{ name }}": ; [rsp + 8] = {{ "type" if kind == "E" else "itab" }}, {{ "value" if by_value else "pointer" }}; the interface at 24
{{- enter(40) }}
{% if by_value %}
        {{ {2: "movzx eax, word", 4: "mov  eax,", 8: "mov  rax,"}[size] }} [rsp + 64]
        test {{ {2: "ax, ax", 4: "eax, eax", 8: "rax, rax"}[size] }}
{% else %}
        mov  rax, [rsp + 64]            ; pointer to the value
        {{ test }}
{% endif %}
        je   zero
        mov  qword [rsp], {{ size }}
        mov  rax, [rsp + 56]
{% if kind == "I" %}
        mov  rax, [rax + 8]             ; itab._type
{% endif %}
        mov  [rsp + 8], rax
        mov  byte [rsp + 16], {{ 1 if size > 8 else 0 }}
        call "runtime.mallocgc"
        mov  rax, [rsp + 24]
        mov  rcx, [rsp + 64]
{% if by_value %}
        mov  [rax], {{ {2: "cx", 4: "ecx", 8: "rcx"}[size] }}
{% elif size == 2 %}
        movzx ecx, word [rcx]
        mov  [rax], cx
{% elif size == 4 %}
        mov  ecx, [rcx]
        mov  [rax], ecx
{% elif size == 8 %}
        mov  rcx, [rcx]
        mov  [rax], rcx
{% else %}
{% for word in range(1, size // 8) %}
        mov  rdx, [rcx + {{ 8 * word }}]
        mov  [rax + {{ 8 * word }}], rdx
{% endfor %}
        mov  rcx, [rcx]
        cmp  dword ["runtime.writeBarrier"], 0
        jne  barrier
        mov  [rax], rcx
{% endif %}
done:   mov  rcx, [rsp + 56]
        mov  [rsp + 72], rcx
        mov  [rsp + 80], rax
{{- leave(40) }}
zero:   lea  rax, ["runtime.zeroVal"]
        jmp  done
{% if size > 8 %}
barrier: mov  rdi, rax
        mov  rdx, rax
        mov  rax, rcx
        call "runtime.gcWriteBarrier"
        mov  rax, rdx
        jmp  done
{% endif %}
{{- grow() }}
{% endfor %}
{% endif %}

{% for noptr in ["", "noptr"] %}
func "runtime.convT2{{ kind }}{{ noptr }}": ; [rsp + 8] = {{ "type" if kind == "E" else "itab" }}, pointer; the value at 24
{{- enter(40) }}
        mov  rax, [rsp + 56]
{% if kind == "I" %}
        mov  rax, [rax + 8]             ; itab._type
{% endif %}
        mov  [rsp + 8], rax
        mov  rax, [rax]                 ; type.size
        mov  [rsp], rax
        mov  byte [rsp + 16], {{ 0 if noptr else 1 }}
        call "runtime.mallocgc"
        mov  rax, [rsp + 24]
        mov  [rsp + 32], rax
        mov  rcx, [rsp + 64]
{% if noptr %}
        mov  rdx, [rsp]                 ; still the size
        mov  [rsp + 16], rdx
        mov  [rsp], rax
        mov  [rsp + 8], rcx
        call "runtime.memmove"
{% else %}
        mov  [rsp + 16], rcx
        mov  rcx, [rsp + 8]
        mov  [rsp], rcx
        mov  [rsp + 8], rax
        call "runtime.typedmemmove"
{% endif %}
        mov  rax, [rsp + 32]
        mov  rcx, [rsp + 56]
        mov  [rsp + 72], rcx
        mov  [rsp + 80], rax
{{- leave(40) }}
{{- grow() }}
{% endfor %}
{% endfor %}
{% endif %}

