; Objects that begin as zeros, and memory that is cleared or copied in a straight line: a caller jumps
; into the middle of these, so that each block has the length that Go's has.
{% if abi == "register" %}
func "runtime.newobject":               ; rax = type
{{- enter(24) }}
        mov  [rsp + 40], rax
        mov  rbx, rax
        mov  rax, [rax]                 ; type.size
        mov  ecx, 1
        call "runtime.mallocgc"
        mov  rcx, [rsp + 40]
        mov  rcx, [rcx]
        mov  rdi, rax
clear:  test rcx, rcx
        jle  done
        mov  qword [rdi], 0
        add  rdi, 8
        sub  rcx, 8
        jmp  clear
done:
{{- leave(24) }}
{{- grow() }}
{% if go_minor >= 27 %}
{% for kind, first in [("Tiny", 2), ("SmallNoScan", 2), ("SmallScanNoHeader", 1)] %}
{% for class in range(first, 3 if kind == "Tiny" else 8) %}
func "runtime.mallocgc{{ kind }}SC{{ class }}": ; rax = size, rbx = type, rcx = whether to zero
{{- enter(24) }}
        mov  [rsp + 40], rax
        call "runtime.mallocgc"
        mov  rcx, [rsp + 40]
        mov  rdi, rax
clear:  test rcx, rcx
        jle  done
        mov  qword [rdi], 0
        add  rdi, 8
        sub  rcx, 8
        jmp  clear
done:
{{- leave(24) }}
{{- grow() }}
{% endfor %}
{% endfor %}
{% endif %}
{% else %}
func "runtime.newobject":               ; [rsp + 8] = type; the object at 16
{{- enter(40) }}
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        mov  rax, [rax]                 ; type.size
        mov  [rsp], rax
        mov  byte [rsp + 16], 1
        call "runtime.mallocgc"
        mov  rax, [rsp + 24]
        mov  [rsp + 64], rax
        mov  rcx, [rsp]
clear:  test rcx, rcx
        jle  done
        mov  qword [rax], 0
        add  rax, 8
        sub  rcx, 8
        jmp  clear
done:
{{- leave(40) }}
{{- grow() }}
{% endif %}
{% set zero = "xmm15" if abi == "register" else "xmm0" %}
func "runtime.duffzero":                ; rdi = where
{%- for block in range(16) %}
        movups [rdi], {{ zero }}
        movups [rdi + 16], {{ zero }}
        movups [rdi + 32], {{ zero }}
        movups [rdi + 48], {{ zero }}
        lea  rdi, [rdi + 64]
{%- endfor %}
        ret

func "runtime.duffcopy":                ; rsi = from, rdi = to
{%- for block in range(64) %}
        movups xmm0, [rsi]
        add  rsi, 16
        movups [rdi], xmm0
        add  rdi, 16
{%- endfor %}
        ret
